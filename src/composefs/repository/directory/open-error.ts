import type { ErrorCode } from '../../../error-codes.js';
import { ComposefsError, type ErrorDetails, errorCode } from '../../../errors.js';

/** Why a directory could not be opened as a repository (spec 10 §8.4). System errors come through unchanged. */
export type RepositoryOpenErrorKind =
  | 'metadata-missing'
  | 'old-format-repository'
  | 'metadata-invalid'
  | 'algorithm-mismatch'
  | 'unsupported-version'
  | 'incompatible-features';

const CODES: Readonly<Record<RepositoryOpenErrorKind, ErrorCode>> = {
  'metadata-missing': 'METADATA_MISSING',
  'old-format-repository': 'OLD_FORMAT_REPOSITORY',
  'metadata-invalid': 'METADATA_INVALID',
  'algorithm-mismatch': 'ALGORITHM_MISMATCH',
  'unsupported-version': 'UNSUPPORTED_VERSION',
  'incompatible-features': 'INCOMPATIBLE_FEATURES',
};

/** Its code is the kind in upper snake case: `METADATA_MISSING`, … */
export class RepositoryOpenError extends ComposefsError {
  readonly kind: RepositoryOpenErrorKind;

  constructor(kind: RepositoryOpenErrorKind, message: string, details: ErrorDetails = {}) {
    super(CODES[kind], message, details);
    this.kind = kind;
  }
}

/** Code `REPOSITORY_CLOSED`: what was asked of a repository, or of something bound to it, after it was closed. */
export class RepositoryClosedError extends ComposefsError {
  constructor(path: string) {
    super('REPOSITORY_CLOSED', `the repository ${path} is closed`);
  }
}

/** Code `UNSAFE_PATH`: something in a repository leads elsewhere, where nothing is read or written for it. */
export class UnsafePathError extends ComposefsError {
  /** @param cause `EXDEV` for a mount, else a symbolic link is in the way. */
  constructor(path: string, cause?: unknown) {
    const obstacle = errorCode(cause) === 'EXDEV' ? 'mount point' : 'symbolic link';
    super('UNSAFE_PATH', `${path} is, or lies behind, a ${obstacle}`, {
      cause,
      hint: 'a repository is one directory tree: put the real directory or file in its place, or mount the whole repository',
    });
  }
}

/** Code `UNSAFE_PATH` as well: a link in `streams/` or `images/` does not stay inside of the repository. */
export function leadsOutError(path: string, text: string): ComposefsError {
  return new ComposefsError('UNSAFE_PATH', `${path} leads out of the repository, to ${text}`, {
    hint: 'remove the link if you do not know where it comes from',
  });
}
