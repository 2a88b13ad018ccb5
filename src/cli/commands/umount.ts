import { type UnmountOptions, unmountImage } from '../../composefs/index.js';
import { ComposefsError, fullMessage } from '../../errors.js';

/** Unmounts all that can be, whatever becomes of the others. */
export function umount(mountPoints: readonly string[], options: UnmountOptions): void {
  const failures: unknown[] = [];
  for (const mountPoint of mountPoints) {
    try {
      unmountImage(mountPoint, options);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length === 0) return;
  if (failures.length === 1) throw failures[0];
  const list = failures.map(fullMessage).join('; ');
  throw new ComposefsError('UNMOUNT', `${failures.length} of ${mountPoints.length} could not be unmounted: ${list}`);
}
