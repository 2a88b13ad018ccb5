import { ImageError } from '../../composefs/tree/image-error.js';
import type { Directory, RegularFile } from '../../composefs/tree/inode.js';
import { getFile, getFileOpt } from '../../composefs/tree/lookup.js';
import { UsrLibModulesVmlinuz } from './boot-entry.js';
import { kernelVersion, modulesDirectories, path } from './tree-files.js';

/**
 * The kernels `/usr/lib/modules/<kver>/vmlinuz`, with `initramfs.img` beside them if there is one (spec 50 §4.3).
 *
 * @throws ImageError if the initramfs is no regular file; ComposefsError `INVALID_BOOT_ENTRY`
 */
export function findKernels(root: Directory): UsrLibModulesVmlinuz[] {
  const kernels: UsrLibModulesVmlinuz[] = [];
  for (const [kver, directory] of modulesDirectories(root)) {
    const vmlinuz = kernelOf(directory);
    if (vmlinuz === undefined) continue;
    const initramfs = getFileOpt(directory, path('initramfs.img'));
    kernels.push(new UsrLibModulesVmlinuz(kernelVersion(kver), vmlinuz, initramfs));
  }
  return kernels;
}

/** Undefined for whatever is no regular file. */
function kernelOf(directory: Directory): RegularFile | undefined {
  try {
    return getFile(directory, path('vmlinuz'));
  } catch (error) {
    if (error instanceof ImageError) return undefined;
    throw error;
  }
}
