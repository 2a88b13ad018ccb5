import { closeSync, openSync } from 'node:fs';

/** What the action gives with the path open for reading; it is closed afterwards. */
export function withFd<T>(path: string, action: (fd: number) => T): T {
  const fd = openSync(path, 'r');
  try {
    return action(fd);
  } finally {
    closeSync(fd);
  }
}
