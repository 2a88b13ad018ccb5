import { closeSync } from 'node:fs';
import { fsopen } from '../../linux/mount-api.js';

/** Runs `action` with a context in which a mount is configured, and closes that whatever happens. */
export function withMountContext<T>(fsname: string, action: (contextFd: number) => T): T {
  const contextFd = fsopen(fsname);
  try {
    return action(contextFd);
  } finally {
    closeSync(contextFd);
  }
}
