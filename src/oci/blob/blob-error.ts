import type { ErrorCodeOf } from '../../error-codes.js';
import { ComposefsError, type ErrorDetails } from '../../errors.js';
import type { OciDigest } from '../model/digest.js';

/** `SourceErrorCode`, and what can be wrong with a digest. */
export type SourceErrorCode = ErrorCodeOf<'sources' | 'storage'> | 'UNSUPPORTED_DIGEST' | 'INVALID_DOCUMENT';

/** A blob is not what its descriptor says. */
export class BlobError extends ComposefsError {
  declare readonly code: SourceErrorCode;
  readonly digest: OciDigest;

  constructor(code: SourceErrorCode, digest: OciDigest, message: string, cause?: unknown, hint?: string) {
    super(code, message, { ...(cause !== undefined && { cause }), ...(hint !== undefined && { hint }) });
    this.digest = digest;
  }
}

/** The image cannot be found in its source. */
export class ImageSourceError extends ComposefsError {
  declare readonly code: SourceErrorCode;

  constructor(code: SourceErrorCode, message: string, details: ErrorDetails = {}) {
    super(code, message, details);
  }
}
