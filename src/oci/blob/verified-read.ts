import { hash } from 'node:crypto';
import { MAX_JSON_BYTES } from '../../json/json.js';
import { type StreamHash, streamHash } from '../../linux/stream-hash.js';
import type { Descriptor } from '../model/descriptor.js';
import { digestAlgorithm, type OciDigest } from '../model/digest.js';
import { BlobError } from './blob-error.js';
import { readLocation } from './blob-file.js';
import type { FileLocation } from './blob-location.js';

const ALGORITHMS: readonly string[] = ['sha256', 'sha384', 'sha512'];

/** Whether the algorithm of a digest can be computed. */
export function isVerifiable(digest: OciDigest): boolean {
  return ALGORITHMS.includes(digestAlgorithm(digest));
}

/** What names a blob. */
type Expected = Pick<Descriptor, 'digest' | 'size'>;

/**
 * Checks a stream against the digest and size that name it: pass every chunk to {@link update}, before it is used for
 * anything that cannot be undone, and call {@link finish} at the end.
 */
export class BlobVerifier {
  readonly #descriptor: Expected;
  readonly #hash: StreamHash;
  #received = 0;

  /** @throws BlobError `UNSUPPORTED_DIGEST` for an algorithm that cannot be computed. */
  constructor(descriptor: Expected) {
    requireVerifiable(descriptor);
    this.#descriptor = descriptor;
    this.#hash = streamHash(digestAlgorithm(descriptor.digest));
  }

  /** @throws BlobError `BLOB_SIZE_MISMATCH` with the first byte too many. */
  update(chunk: Uint8Array): void {
    this.#count(chunk);
    this.#hash.update(chunk);
  }

  /** As {@link update}, at once; the chunk is hashed as by {@link StreamHash.updateBeside}. */
  updateBeside(chunk: Uint8Array): Promise<void> {
    this.#count(chunk);
    return this.#hash.updateBeside(chunk);
  }

  #count(chunk: Uint8Array): void {
    this.#received += chunk.length;
    requireNoMore(this.#descriptor, this.#received);
  }

  /** @throws BlobError `BLOB_SIZE_MISMATCH` for a short stream, `BLOB_DIGEST_MISMATCH` for other content. */
  finish(): void {
    requireWhole(this.#descriptor, this.#received);
    requireDigest(this.#descriptor, this.#hash.digest());
  }
}

/** A whole blob, checked at once. @throws as {@link BlobVerifier} */
export function verifiedBlob(bytes: Buffer, descriptor: Expected): Buffer {
  requireVerifiable(descriptor);
  requireNoMore(descriptor, bytes.length);
  requireWhole(descriptor, bytes.length);
  requireDigest(descriptor, hash(digestAlgorithm(descriptor.digest), bytes, 'hex'));
  return bytes;
}

function requireVerifiable({ digest }: Expected): void {
  if (isVerifiable(digest)) return;
  throw new BlobError('UNSUPPORTED_DIGEST', digest, `Cannot verify the digest ${digest}`);
}

function requireNoMore({ digest, size }: Expected, received: number): void {
  if (received <= size) return;
  throw new BlobError('BLOB_SIZE_MISMATCH', digest, `Blob ${digest} is longer than its size of ${size} bytes`);
}

function requireWhole({ digest, size }: Expected, received: number): void {
  if (received >= size) return;
  throw new BlobError('BLOB_SIZE_MISMATCH', digest, `Blob ${digest} ends after ${received} of ${size} bytes`);
}

/** @param hex what was computed. */
function requireDigest({ digest }: Expected, hex: string): void {
  const found = `${digestAlgorithm(digest)}:${hex}`;
  if (found === digest) return;
  throw new BlobError('BLOB_DIGEST_MISMATCH', digest, `Blob digest mismatch: expected ${digest}, got ${found}`);
}

/** Refuses a declared size before memory is allocated for it. */
export function checkBlobLimit(digest: OciDigest, size: number, maxBytes: number): void {
  if (size <= maxBytes) return;
  const message = `Blob ${digest} of ${size} bytes exceeds the limit of ${maxBytes} bytes`;
  throw new BlobError('BLOB_TOO_LARGE', digest, message);
}

/** The whole content of a blob, verified. */
export function readBlob(location: FileLocation, descriptor: Descriptor, maxBytes: number = MAX_JSON_BYTES): Buffer {
  checkBlobLimit(descriptor.digest, Math.max(descriptor.size, location.size), maxBytes);
  requireVerifiable(descriptor);
  return verifiedBlob(Buffer.concat([...readLocation(location)]), descriptor);
}
