import { execFile, execFileSync } from 'node:child_process';
import { constants, fsyncSync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import { syncfs, syncfsInBackground } from '../linux/file-system.js';
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
    execFileSync(syncProgram(error), ['--file-system', '--', path], { stdio: 'ignore' });
  }
}

/**
 * {@link syncFileSystem} for a thread that has an event loop to run: that can take seconds. The descriptor must stay open
 * until it is done.
 */
export async function whenFileSystemSynced(fd: number, path: string): Promise<void> {
  try {
    await syncfsInBackground(fd);
  } catch (error) {
    await promisify(execFile)(syncProgram(error), ['--file-system', '--', path]);
  }
}

/** What does it where the C library cannot be called; any other failure is thrown. */
function syncProgram(error: unknown): string {
  const program = isErrno(error, 'FFI_UNAVAILABLE') ? findProgram('sync') : undefined;
  if (program === undefined) throw error;
  return program;
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
