import { constants, mkdtempSync, openSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withFd } from '../../fs/files.js';
import { randomName } from '../../fs/random-name.js';
import { O_TMPFILE } from '../../linux/constants.js';

/** For the moment between making a named file and removing its name. */
const PREFIX = '.tmp-doctor-';

/** An anonymous file in a directory, read and write. */
export function openAnonymous(directory: string): number {
  return openSync(directory, O_TMPFILE | constants.O_RDWR, 0o600);
}

/** A file in a directory whose name is gone already, open for reading and writing. */
export function openScratch(directory: string): number {
  try {
    return openAnonymous(directory);
  } catch {
    const path = join(directory, randomName(PREFIX));
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    unlinkSync(path);
    return fd;
  }
}

export function withScratch<T>(directory: string, action: (fd: number) => T): T {
  return withFd(openScratch(directory), action);
}

/** A directory in the system's temporary directory. */
export function withScratchDirectory<T>(action: (path: string) => T): T {
  const path = mkdtempSync(join(tmpdir(), '.composefs-doctor.'));
  try {
    return action(path);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}
