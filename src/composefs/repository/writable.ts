import { accessSync, constants, openSync } from 'node:fs';
import { ComposefsError } from '../../errors.js';
import { isReadOnlyFileSystem } from '../../linux/statvfs.js';
import { isErrno, withFd } from './files.js';

/** A repository that cannot be written: permissions, a read-only mount, or features that this program does not know. */
export class NotWritableError extends ComposefsError {}

/**
 * The precondition of everything that writes (spec 10 §10.1).
 *
 * @param path the directory of the repository.
 * @throws NotWritableError
 */
export function ensureWritable(path: string): void {
  // Asked before the permissions: root may write anywhere, but not through a read-only bind mount.
  if (isReadOnly(path)) {
    throw new NotWritableError('REPOSITORY_NOT_WRITABLE', 'Repository is not writable: read-only file system');
  }
  try {
    accessSync(path, constants.W_OK);
  } catch (cause) {
    throw new NotWritableError('REPOSITORY_NOT_WRITABLE', 'Repository is not writable', { cause });
  }
}

/** {@link ensureWritable} for a repository whose features forbid writing. */
export function readOnlyFeaturesError(unknownFeatures: string): NotWritableError {
  return new NotWritableError(
    'REPOSITORY_READ_ONLY',
    `repository is read-only: unknown read-only-compatible features ${unknownFeatures}`,
    { hint: 'use a newer version of this program' },
  );
}

/** {@link ensureWritable} while this process collects garbage in the repository. */
export function collectingError(): NotWritableError {
  return new NotWritableError('REPOSITORY_BUSY', 'Repository is not writable: garbage is being collected', {
    hint: 'wait for gc() to end, or write inside of Repository.hold()',
  });
}

function isReadOnly(path: string): boolean {
  try {
    return withFd(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY), isReadOnlyFileSystem);
  } catch (error) {
    // Without access to the C library the first write tells.
    if (isErrno(error, 'FFI_UNAVAILABLE')) return false;
    throw error;
  }
}
