import type { ContentDestination } from '../../composefs/scan/file-contents.js';
import { readDirectory } from '../../composefs/scan/read-directory.js';
import type { Directory } from '../../composefs/tree/inode.js';
import { withContextAsync } from '../../errors.js';
import { transformForOci } from '../../oci/tree/transform.js';
import type { FileSystemOptions } from '../context/options.js';

/** The tree of a directory as the FS options (spec 70 C1) want it. */
export async function readTree(
  path: string,
  options: FileSystemOptions,
  destination: ContentDestination,
): Promise<Directory> {
  const root = await withContextAsync(`Reading container root ${path}`, () => readDirectory(path, { destination }));
  if (options.noPropagateUsrToRoot !== true) transformForOci(root, { xattrs: options.xattrs });
  return root;
}
