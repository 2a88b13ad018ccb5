import type { ErrorCodeOf } from '../../error-codes.js';
import { ComposefsError, type ErrorDetails } from '../../errors.js';

/**
 * Compressed data that cannot be decoded. Codes: `COMPRESSED_DATA_INVALID`, `COMPRESSED_DATA_TRUNCATED`,
 * `COMPRESSED_TRAILING_DATA`, `COMPRESSION_UNSUPPORTED`.
 */
export class CompressionError extends ComposefsError {
  declare readonly code: ErrorCodeOf<'compression'>;

  constructor(code: ErrorCodeOf<'compression'>, message: string, details: ErrorDetails = {}) {
    super(code, message, details);
  }
}

export function invalidData(format: string, reason: string, cause?: unknown): CompressionError {
  const details = cause === undefined ? {} : { cause };
  return new CompressionError('COMPRESSED_DATA_INVALID', `invalid ${format} data: ${reason}`, details);
}

export function truncatedData(format: string): CompressionError {
  return new CompressionError('COMPRESSED_DATA_TRUNCATED', `truncated ${format} data: incomplete frame`);
}

export function trailingData(format: string): CompressionError {
  return new CompressionError('COMPRESSED_TRAILING_DATA', `trailing data after the ${format} stream`);
}
