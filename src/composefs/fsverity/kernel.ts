import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { errorCode } from '../../errors.js';
import { readChunks, sleepSync, withFd, writeFully } from '../../fs/files.js';
import { O_TMPFILE } from '../../linux/constants.js';
import { procPath } from '../../linux/link.js';
import * as linux from '../../linux/verity.js';
import { digestSize, type HashAlgorithm, kernelId } from './algorithm.js';
import { type ObjectId, objectIdFromBytes } from './object-id.js';
import { CompareVerityError, EnableVerityError, MeasureVerityError } from './verity-error.js';

export { CompareVerityError, EnableVerityError, MeasureVerityError } from './verity-error.js';

/** Another process may hold an inherited descriptor for the moment between its fork and its exec. */
const ENABLE_ATTEMPTS = 3;
const PAUSE_MILLISECONDS = 1;
/** Every copy has a writable descriptor for a moment, which another fork may inherit again. */
const COPY_ATTEMPTS = 16;
const COPY_SIZE = 256 * 1024;

/**
 * Enables fs-verity. `fd` must be read-only.
 *
 * @param signature PKCS#7 in DER, for kernels that demand one.
 * @throws EnableVerityError
 */
export function enableVerityRaw(fd: number, algorithm: HashAlgorithm, signature?: Uint8Array): void {
  try {
    linux.enableVerity(fd, kernelId(algorithm), signature);
  } catch (error) {
    throw EnableVerityError.from(error);
  }
}

/**
 * {@link enableVerityRaw}, three times if need be while somebody has the file open for writing (spec 10 §5.3).
 *
 * @throws EnableVerityError
 */
export function enableVerityWithRetry(fd: number, algorithm: HashAlgorithm): void {
  for (let attempt = 1; ; attempt++) {
    try {
      enableVerityRaw(fd, algorithm);
      return;
    } catch (error) {
      if (!isBusy(error) || attempt === ENABLE_ATTEMPTS) throw error;
      sleepSync(PAUSE_MILLISECONDS);
    }
  }
}

/**
 * Enables fs-verity on an open file; for one that is open for writing elsewhere it waits a moment, and copies it then.
 *
 * @param directory where the copy gets its inode.
 * @returns a read-only descriptor of the copy, an anonymous file to be used in place of the original; undefined if
 * the original has verity now.
 * @throws EnableVerityError
 */
export function enableVerityMaybeCopy(directory: string, fd: number, algorithm: HashAlgorithm): number | undefined {
  try {
    enableVerityWithRetry(fd, algorithm);
    return undefined;
  } catch (error) {
    if (!isBusy(error)) throw error;
  }
  for (let attempt = 1; ; attempt++) {
    const copy = copyToAnonymousFile(directory, fd);
    try {
      enableVerityWithRetry(copy, algorithm);
      return copy;
    } catch (error) {
      closeSync(copy);
      if (!isBusy(error) || attempt === COPY_ATTEMPTS) throw error;
    }
  }
}

/**
 * The digest that the kernel vouches for.
 *
 * @throws MeasureVerityError also if the file has no fs-verity, or one of another algorithm.
 */
export function measureVerity(fd: number, algorithm: HashAlgorithm): ObjectId {
  const { algorithm: found, digest } = measure(fd, algorithm);
  if (found !== kernelId(algorithm)) throw MeasureVerityError.invalidAlgorithm(algorithm, found);
  if (digest.length !== digestSize(algorithm)) throw MeasureVerityError.invalidSize(algorithm);
  return objectIdFromBytes(digest);
}

/**
 * {@link measureVerity}; undefined if the file has no fs-verity, or its file system does not know it.
 *
 * @throws MeasureVerityError for everything else.
 */
export function measureVerityOpt(fd: number, algorithm: HashAlgorithm): ObjectId | undefined {
  try {
    return measureVerity(fd, algorithm);
  } catch (error) {
    if (isWithoutVerity(error)) return undefined;
    throw error;
  }
}

/**
 * Whether the file has fs-verity of this algorithm.
 *
 * @throws MeasureVerityError if it has one of another algorithm.
 * @throws ComposefsError `FFI_UNAVAILABLE` where the kernel cannot be asked: no answer would be safe.
 */
export function hasVerity(fd: number, algorithm: HashAlgorithm): boolean {
  try {
    measureVerity(fd, algorithm);
    return true;
  } catch (error) {
    if (error instanceof MeasureVerityError && errorCode(error.cause) === 'FFI_UNAVAILABLE') throw error.cause;
    if (isWithoutVerity(error)) return false;
    throw error;
  }
}

/**
 * Requires that the kernel vouches for `expected`.
 *
 * @throws CompareVerityError
 */
export function ensureVerityEqual(fd: number, expected: ObjectId, algorithm: HashAlgorithm): void {
  let found: ObjectId;
  try {
    found = measureVerity(fd, algorithm);
  } catch (error) {
    throw CompareVerityError.measure(error);
  }
  if (found !== expected) throw CompareVerityError.mismatch(expected, found);
}

function measure(fd: number, algorithm: HashAlgorithm): linux.MeasuredVerity {
  try {
    return linux.measureVerity(fd, digestSize(algorithm));
  } catch (error) {
    throw MeasureVerityError.from(error, algorithm);
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof EnableVerityError && error.kind === 'file-opened-for-write';
}

function isWithoutVerity(error: unknown): boolean {
  return (
    error instanceof MeasureVerityError &&
    (error.kind === 'verity-missing' || error.kind === 'filesystem-not-supported')
  );
}

/** A copy without a name, open for reading; the descriptor for writing is closed. */
function copyToAnonymousFile(directory: string, fd: number): number {
  return withFd(openSync(directory, O_TMPFILE | constants.O_RDWR, fstatSync(fd).mode & 0o7777), (copy) => {
    for (const chunk of readChunks(fd, Buffer.allocUnsafe(COPY_SIZE))) writeFully(copy, chunk);
    return openSync(procPath(copy), constants.O_RDONLY);
  });
}
