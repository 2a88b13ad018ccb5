import { ComposefsError } from '../../errors.js';
import type { OciDigest } from '../model/digest.js';

/**
 * Codes: `BLOB_NOT_FOUND`, `BLOB_SIZE_MISMATCH`, `BLOB_DIGEST_MISMATCH`, `BLOB_TOO_LARGE`, `BLOB_NOT_A_FILE`,
 * `UNSUPPORTED_DIGEST`.
 */
export class BlobError extends ComposefsError {
  readonly digest: OciDigest;

  constructor(code: string, digest: OciDigest, message: string, cause?: unknown) {
    super(code, message, cause === undefined ? {} : { cause });
    this.digest = digest;
  }
}

/**
 * The image cannot be found in its source. Codes: `INDEX_NOT_FOUND`, `TAG_NOT_FOUND`, `PLATFORM_NOT_FOUND`,
 * `UNEXPECTED_MEDIA_TYPE`, `NESTED_INDEX`, `UNSUPPORTED_TRANSPORT`, `INVALID_ARCHIVE`.
 */
export class ImageSourceError extends ComposefsError {}
