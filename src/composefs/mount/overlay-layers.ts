import { isSystemError } from '../../linux/errno.js';
import { procPath } from '../../linux/link.js';
import { fsconfigCreate, fsconfigFd, fsconfigString } from '../../linux/mount-api.js';
import { withTemporaryAttachment } from './attach.js';
import type { MountOptions } from './options.js';

export interface OverlayLayers {
  /** The detached EROFS mount with the tree. */
  readonly imageMountFd: number;
  /** Directories with the data files. */
  readonly dataFds: readonly number[];
  readonly writable: MountOptions['overlay'];
}

/** A way to tell overlayfs its layers and to create the superblock, which then has its own hold on them. */
export type LayerMethod = (contextFd: number, layers: OverlayLayers) => void;

/** By descriptors alone: Linux 6.15 and later. */
export const layersByFd: LayerMethod = (contextFd, { imageMountFd, dataFds, writable }) => {
  if (writable !== undefined) {
    fsconfigFd(contextFd, 'upperdir', writable.upperFd);
    fsconfigFd(contextFd, 'workdir', writable.workFd);
  }
  fsconfigFd(contextFd, 'lowerdir+', imageMountFd);
  for (const dataFd of dataFds) fsconfigFd(contextFd, 'datadir+', dataFd);
  fsconfigCreate(contextFd);
};

/** By paths through `/proc`, which need the image attached somewhere: Linux 6.5 and later. */
export const layersByPath: LayerMethod = (contextFd, { imageMountFd, dataFds, writable }) => {
  if (writable !== undefined) {
    fsconfigString(contextFd, 'upperdir', procPath(writable.upperFd));
    fsconfigString(contextFd, 'workdir', procPath(writable.workFd));
  }
  withTemporaryAttachment(imageMountFd, (rootFd) => {
    fsconfigString(contextFd, 'lowerdir', [rootFd, ...dataFds].map(procPath).join('::'));
    fsconfigCreate(contextFd);
  });
};

/**
 * Whether `error` can mean that the kernel does not take descriptors: EINVAL where it wants strings (before 6.13) or
 * attached mounts, EBADF for `O_PATH` descriptors (before 6.15). What else is wrong, the other method finds as well.
 */
export function mayNotKnowFds(error: unknown): boolean {
  return isSystemError(error, 'EINVAL', 'EBADF', 'EOPNOTSUPP');
}
