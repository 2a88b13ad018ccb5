import { ComposefsError, type ErrorDetails } from '../../errors.js';

/** Why a directory could not be opened as a repository (spec 10 §8.4). System errors come through unchanged. */
export type RepositoryOpenErrorKind =
  | 'metadata-missing'
  | 'old-format-repository'
  | 'metadata-invalid'
  | 'algorithm-mismatch'
  | 'unsupported-version'
  | 'incompatible-features';

/** Its code is the kind in upper snake case: `METADATA_MISSING`, … */
export class RepositoryOpenError extends ComposefsError {
  readonly kind: RepositoryOpenErrorKind;

  constructor(kind: RepositoryOpenErrorKind, message: string, details: ErrorDetails = {}) {
    super(kind.toUpperCase().replaceAll('-', '_'), message, details);
    this.kind = kind;
  }
}
