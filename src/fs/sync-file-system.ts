import { execFileSync } from 'node:child_process';
import { constants, fsyncSync, openSync } from 'node:fs';
import { syncfs } from '../linux/file-system.js';
import { findProgram } from '../linux/find-program.js';
import { isErrno, withFd } from './files.js';

/**
 * Brings everything of the file system that holds an open directory to disk (spec 10 §15). Where the C library cannot
 * be called, the program `sync` of coreutils does it.
 *
 * @param path of the same directory.
 */
export function syncFileSystem(fd: number, path: string): void {
  try {
    syncfs(fd);
  } catch (error) {
    if (!isErrno(error, 'FFI_UNAVAILABLE')) throw error;
    const program = findProgram('sync');
    if (program === undefined) throw error;
    execFileSync(program, ['--file-system', '--', path], { stdio: 'ignore' });
  }
}

/** Makes the names in one directory last, where that is possible at all: some file systems cannot do it. */
export function syncDirectory(path: string): void {
  try {
    withFd(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY), fsyncSync);
  } catch (error) {
    // The directory that a repository is made in need not be readable.
    if (!isErrno(error, 'EINVAL', 'EOPNOTSUPP', 'ENOSYS', 'EACCES')) throw error;
  }
}
