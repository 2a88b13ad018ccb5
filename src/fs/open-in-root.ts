import { closeSync, constants, openSync, readlinkSync } from 'node:fs';
import { type ByteString, byteStringFrom, byteStringToBuffer, splitBytes } from '../bytes/byte-string.js';
import { ComposefsError } from '../errors.js';
import { MAXSYMLINKS, O_PATH } from '../linux/constants.js';
import { procPath } from '../linux/link.js';
import { isErrno } from './files.js';

/**
 * Opens what a path leads to for a process whose root directory is `rootFd`, for reading: symlinks are followed, and
 * neither they nor `..` lead out, whoever changes the directories meanwhile. A FIFO does not block.
 *
 * @param path slashes at its beginning mean nothing.
 * @returns a descriptor, which the caller closes.
 * @throws system errors; ComposefsError `ELOOP`.
 */
export function openInRoot(rootFd: number, path: ByteString): number {
  const steps: number[] = [];
  const pending = splitBytes(path, '/').reverse();
  let links = 0;
  try {
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        const left = steps.pop();
        if (left !== undefined) closeSync(left);
        continue;
      }
      const child = byteStringToBuffer(`${procPath(steps.at(-1) ?? rootFd)}/${name}` as ByteString);
      const target = readLink(child);
      if (target === undefined) {
        steps.push(openSync(child, O_PATH | constants.O_NOFOLLOW));
        continue;
      }
      links += 1;
      if (links > MAXSYMLINKS) throw new ComposefsError('ELOOP', 'too many symbolic links');
      if (target.startsWith('/')) {
        for (const step of steps.splice(0)) closeSync(step);
      }
      pending.push(...splitBytes(target, '/').reverse());
    }
    return openSync(procPath(steps.at(-1) ?? rootFd), constants.O_RDONLY | constants.O_NONBLOCK);
  } finally {
    for (const step of steps) closeSync(step);
  }
}

/** Undefined if it is no symlink. */
function readLink(path: Buffer): ByteString | undefined {
  try {
    return byteStringFrom(readlinkSync(path, 'buffer'));
  } catch (error) {
    if (isErrno(error, 'EINVAL')) return undefined;
    throw error;
  }
}
