import { type ErrorCode, knownCode } from '../../error-codes.js';
import { ComposefsError, errorCode } from '../../errors.js';
import { isSystemError } from '../../linux/errno.js';
import { digestSize, type HashAlgorithm, kernelId } from './algorithm.js';
import type { ObjectId } from './object-id.js';

/** Why fs-verity could not be enabled; `io` is any other failure of the system. */
export type EnableVerityErrorKind =
  | 'filesystem-not-supported'
  | 'already-enabled'
  | 'file-opened-for-write'
  | 'signature-verification-failed'
  | 'io';

/** Spec 10 §5.2. `code` is `VERITY_…`, for `io` the errno name. */
export class EnableVerityError extends ComposefsError {
  readonly kind: EnableVerityErrorKind;

  constructor(kind: EnableVerityErrorKind, code: ErrorCode, message: string, cause?: unknown) {
    super(code, message, cause === undefined ? {} : { cause });
    this.kind = kind;
  }

  /** Of what the ioctl threw. */
  static from(error: unknown): EnableVerityError {
    if (isUnsupported(error)) {
      const message = 'Filesystem does not support fs-verity';
      return new EnableVerityError('filesystem-not-supported', 'VERITY_NOT_SUPPORTED', message, unavailability(error));
    }
    if (isSystemError(error, 'EEXIST')) {
      return new EnableVerityError('already-enabled', 'VERITY_ALREADY_ENABLED', 'fs-verity is already enabled on file');
    }
    if (isSystemError(error, 'ETXTBSY')) {
      return new EnableVerityError('file-opened-for-write', 'VERITY_FILE_BUSY', 'File is opened for writing');
    }
    if (isSystemError(error, 'EKEYREJECTED')) {
      const message = 'Signature verification failed';
      return new EnableVerityError('signature-verification-failed', 'VERITY_SIGNATURE_REJECTED', message);
    }
    return new EnableVerityError('io', knownCode(errorCode(error)), ioMessage(error));
  }
}

/** Why the kernel's digest of a file could not be had; `io` is any other failure of the system. */
export type MeasureVerityErrorKind =
  | 'verity-missing'
  | 'filesystem-not-supported'
  | 'invalid-digest-size'
  | 'invalid-digest-algorithm'
  | 'io';

/** Spec 10 §5.2. `code` is `VERITY_…`, for `io` the errno name. */
export class MeasureVerityError extends ComposefsError {
  readonly kind: MeasureVerityErrorKind;

  constructor(kind: MeasureVerityErrorKind, code: ErrorCode, message: string, cause?: unknown) {
    super(code, message, cause === undefined ? {} : { cause });
    this.kind = kind;
  }

  /** Of what the ioctl threw, when a digest of `algorithm` was expected. */
  static from(error: unknown, algorithm: HashAlgorithm): MeasureVerityError {
    if (isUnsupported(error)) {
      const message = 'fs-verity is not supported by filesystem';
      return new MeasureVerityError('filesystem-not-supported', 'VERITY_NOT_SUPPORTED', message, unavailability(error));
    }
    if (isSystemError(error, 'ENODATA')) {
      return new MeasureVerityError('verity-missing', 'VERITY_MISSING', 'fs-verity is not enabled on file');
    }
    if (isSystemError(error, 'EOVERFLOW')) return MeasureVerityError.invalidSize(algorithm);
    return new MeasureVerityError('io', knownCode(errorCode(error)), ioMessage(error));
  }

  /** The kernel told a digest of another length. */
  static invalidSize(expected: HashAlgorithm): MeasureVerityError {
    const message = `Expected digest size ${digestSize(expected)}`;
    return new MeasureVerityError('invalid-digest-size', 'VERITY_INVALID_DIGEST_SIZE', message);
  }

  /** The kernel hashes with another algorithm. @param found `FS_VERITY_HASH_ALG_*` */
  static invalidAlgorithm(expected: HashAlgorithm, found: number): MeasureVerityError {
    const message = `Expected algorithm ${kernelId(expected)}, found ${found}`;
    return new MeasureVerityError('invalid-digest-algorithm', 'VERITY_INVALID_DIGEST_ALGORITHM', message);
  }
}

/** A file that does not have the digest it should have, or of which that cannot be told (spec 10 §5.3). */
export class CompareVerityError extends ComposefsError {
  readonly kind: 'measure' | 'digest-mismatch';

  constructor(kind: 'measure' | 'digest-mismatch', code: ErrorCode, message: string, cause?: unknown) {
    super(code, message, cause === undefined ? {} : { cause });
    this.kind = kind;
  }

  /** The digest could not be had at all. */
  static measure(cause: unknown): CompareVerityError {
    return new CompareVerityError('measure', knownCode(errorCode(cause)), 'failed to read verity', cause);
  }

  /** The kernel told another digest. */
  static mismatch(expected: ObjectId, found: ObjectId): CompareVerityError {
    const message = `Expected digest ${expected} but found ${found}`;
    return new CompareVerityError('digest-mismatch', 'VERITY_DIGEST_MISMATCH', message);
  }
}

/** No ioctl at all is no fs-verity either (spec 10 §23). */
function isUnsupported(error: unknown): boolean {
  return isSystemError(error, 'ENOTTY', 'EOPNOTSUPP') || errorCode(error) === 'FFI_UNAVAILABLE';
}

/** The kernel's answer needs no explanation, the lack of an ioctl does. */
function unavailability(error: unknown): unknown {
  return errorCode(error) === 'FFI_UNAVAILABLE' ? error : undefined;
}

function ioMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
