import { type ContentDestination, type Directory, readDirectory } from '../../composefs/index.js';
import { withContextAsync } from '../../errors.js';
import { transformForOci } from '../../index.js';
import type { FileSystemOptions } from '../context/options.js';
import { withDelayedProgress } from '../progress/delayed.js';

/** The tree of a directory as the FS options (spec 70 C1) want it. */
export async function readTree(
  path: string,
  options: FileSystemOptions,
  destination: ContentDestination,
): Promise<Directory> {
  const root = await withContextAsync(`Reading container root ${path}`, () =>
    withDelayedProgress((running) => readDirectory(path, { destination, ownThread: true, ...running })),
  );
  if (options.noPropagateUsrToRoot !== true) transformForOci(root, { xattrs: options.xattrs });
  if (options.bootable === true) await makeBootable(root, path, destination);
  return root;
}

/** Both ways give the same tree; what is stored is what a machine will boot from, and so is looked at. */
async function makeBootable(root: Directory, path: string, destination: ContentDestination): Promise<void> {
  const { transformForBoot, transformForBootFromDir } = await import('../../boot/transform.js');
  if (destination.kind === 'repository') transformForBoot(root, destination.objects);
  else transformForBootFromDir(root, path);
}
