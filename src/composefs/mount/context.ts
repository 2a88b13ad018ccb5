import { withFd } from '../../fs/files.js';
import { fsopen } from '../../linux/mount-api.js';

/** Runs `action` with a context in which a mount is configured, and closes that whatever happens. */
export function withMountContext<T>(fsname: string, action: (contextFd: number) => T): T {
  return withFd(fsopen(fsname), action);
}
