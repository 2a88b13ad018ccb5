import { readlinkSync } from 'node:fs';
import { withFd } from '../../fs/files.js';
import { isSystemError } from '../../linux/errno.js';
import { procPath } from '../../linux/link.js';
import { loopify } from '../../linux/loop.js';
import { fsconfigCreate, fsconfigFlag, fsconfigString, fsmount, fsopen } from '../../linux/mount-api.js';

import type { ErofsMountOptions } from './options.js';
import { restrictionAttributes } from './options.js';

/**
 * Mounts an EROFS image from an open file (spec 50 §16). Kernels before 6.12 need a loop device for that.
 *
 * The image is not checked: mounting is for images of trusted origin.
 *
 * @returns the descriptor of a mount that is not attached anywhere; closing it undoes the mount.
 * @throws SystemError
 */
export function erofsMount(imageFd: number, options: ErofsMountOptions = {}): number {
  try {
    return erofsFileMount(imageFd, options);
  } catch (error) {
    if (!isSystemError(error, 'ENOTBLK')) throw error;
  }
  return erofsLoopMount(imageFd, options);
}

/** {@link erofsMount} from the file itself: ENOTBLK on kernels before 6.12. */
export function erofsFileMount(imageFd: number, options: ErofsMountOptions = {}): number {
  return mountSource(procPath(imageFd), options);
}

/** {@link erofsMount} through a loop device, which goes away with the mount. */
export function erofsLoopMount(imageFd: number, options: ErofsMountOptions = {}): number {
  return withFd(loopify(imageFd), (loopFd) => {
    // The name of the device, since that is what the mount table shows.
    return mountSource(readlinkSync(procPath(loopFd)), options);
  });
}

function mountSource(source: string, options: ErofsMountOptions): number {
  return withFd(fsopen('erofs'), (context) => {
    fsconfigFlag(context, 'ro');
    if (options.noAcl === true) fsconfigFlag(context, 'noacl');
    fsconfigString(context, 'source', source);
    fsconfigCreate(context);
    return fsmount(context, restrictionAttributes(options));
  });
}
