import { fstatSync, readSync } from 'node:fs';
import { runSteps, type Steps } from '../../threads/turns.js';
import type { HashAlgorithm } from './algorithm.js';
import { FsVerityHasher } from './hasher.js';
import type { ObjectId } from './object-id.js';

const READ_SIZE = 256 * 1024;

/** Used from the first to the last line of a function only: small files are many, their buffers cost more than they. */
const hashers = new Map<HashAlgorithm, FsVerityHasher>();

/** The fs-verity digest of some bytes (spec 10 §2). */
export function computeVerity(algorithm: HashAlgorithm, data: Uint8Array): ObjectId {
  return emptyHasher(algorithm).update(data).digest();
}

function emptyHasher(algorithm: HashAlgorithm): FsVerityHasher {
  let hasher = hashers.get(algorithm);
  if (hasher === undefined) {
    hasher = new FsVerityHasher(algorithm);
    hashers.set(algorithm, hasher);
  }
  return hasher.reset();
}

/**
 * The fs-verity digest of an open file, read from its beginning; the position of `fd` stays where it is.
 *
 * @throws errors of `read(2)`
 */
export function computeVerityOfFd(algorithm: HashAlgorithm, fd: number): ObjectId {
  return runSteps(verityOfFdSteps(algorithm, fd));
}

/** {@link computeVerityOfFd}. */
export function* verityOfFdSteps(algorithm: HashAlgorithm, fd: number): Steps<ObjectId> {
  // Most streams are small. Of 1,000 of them buffers of the full size alone took 40 ms, in garbage collection.
  const buffer = Buffer.allocUnsafe(Math.min(fstatSync(fd).size + 1, READ_SIZE));
  return (yield* measureFdSteps(algorithm, fd, buffer)).id;
}

/**
 * {@link computeVerityOfFd}, with how many bytes were read.
 *
 * @param buffer through which the file is read; nobody else uses it meanwhile.
 */
export function* measureFdSteps(
  algorithm: HashAlgorithm,
  fd: number,
  buffer: Buffer,
): Steps<{ readonly id: ObjectId; readonly size: number }> {
  let size = readSync(fd, buffer, 0, buffer.length, 0);
  // Hashers of their own took 10 ms for 1,000 small files.
  const isWhole = size < buffer.length && readSync(fd, buffer, size, buffer.length - size, size) === 0;
  if (isWhole) return { id: computeVerity(algorithm, buffer.subarray(0, size)), size };
  const hasher = new FsVerityHasher(algorithm);
  for (let count = size; count > 0; ) {
    hasher.update(buffer.subarray(0, count));
    yield;
    count = readSync(fd, buffer, 0, buffer.length, size);
    size += count;
  }
  return { id: hasher.digest(), size };
}
