import { constants, openSync } from 'node:fs';

/**
 * Opens a file for reading, whatever has taken its place meanwhile: a symlink is ELOOP, and a FIFO, which without
 * O_NONBLOCK would block for ever, is opened like a file. The caller looks at what it is, and closes it.
 */
export function openFileOnly(path: Buffer): number {
  return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}
