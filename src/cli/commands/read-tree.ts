import type { Directory } from '../../composefs/tree/directory.js';
import { readFilesystem, type ScanOptions } from '../../composefs/tree/scan.js';
import { transformForOci } from '../../composefs/tree/transform.js';
import { withContext } from '../../errors.js';
import type { FileSystemOptions } from '../options.js';

/** The tree of a directory as the FS options (spec 70 C1) want it. */
export function readTree(path: string, options: FileSystemOptions, scan: ScanOptions): Directory {
  const root = withContext(`Reading container root ${path}`, () => readFilesystem(path, scan));
  if (options.noPropagateUsrToRoot !== true) transformForOci(root, { xattrs: options.xattrs });
  return root;
}
