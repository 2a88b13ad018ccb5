import { accessSync, constants, fstatSync } from 'node:fs';
import { ComposefsError } from '../../../errors.js';
import { isErrno } from '../../../fs/files.js';
import { isReadOnlyFileSystem } from '../../../linux/file-system.js';
import type { RepositoryRoot } from './root.js';

/** A repository that cannot or must not be written: permissions, its owner, a read-only mount, or features that this program does not know. */
export class NotWritableError extends ComposefsError {}

/**
 * The precondition of everything that writes (spec 10 §10.1).
 *
 * @throws NotWritableError
 */
export function ensureWritable(root: RepositoryRoot): void {
  // Asked before the permissions: root may write anywhere, but not through a read-only bind mount.
  if (isReadOnly(root)) {
    throw new NotWritableError('REPOSITORY_NOT_WRITABLE', 'Repository is not writable: read-only file system', {
      hint: `the file system of ${root.path} is mounted read-only`,
    });
  }
  requireOwner(root);
  try {
    root.within('', (directory) => accessSync(directory, constants.W_OK));
  } catch (cause) {
    throw new NotWritableError('REPOSITORY_NOT_WRITABLE', 'Repository is not writable', { cause, ...ownerHint(root) });
  }
}

function ownerHint({ fd, path }: RepositoryRoot): { readonly hint?: string } {
  const { uid } = fstatSync(fd);
  if (uid === process.geteuid?.()) return {};
  return { hint: `${path} belongs to ${uid === 0 ? 'root' : `user ${uid}`}: run the command as that user` };
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

/**
 * What root writes into another user's directory, that user can lead astray, and what root names there, trust: as git
 * does (`safe.directory`), only the user's own directories are written, and those of the user who became root by sudo.
 *
 * @throws NotWritableError
 */
export function requireOwner(root: RepositoryRoot): void {
  if (root.reference.allowForeignOwner || process.geteuid?.() !== 0) return;
  const { uid } = fstatSync(root.fd);
  if (uid === 0 || String(uid) === process.env['SUDO_UID']) return;
  throw new NotWritableError('FOREIGN_OWNER', `the repository ${root.path} belongs to user ${uid}, not to root`, {
    hint: 'write to it as that user; or, if you trust that user, with --allow-foreign-owner',
  });
}

function isReadOnly(root: RepositoryRoot): boolean {
  try {
    return isReadOnlyFileSystem(root.fd);
  } catch (error) {
    // Without access to the C library the first write tells.
    if (isErrno(error, 'FFI_UNAVAILABLE')) return false;
    throw error;
  }
}
