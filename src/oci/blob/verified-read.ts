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

/**
 * Checks a stream against the digest and size that name it: pass every chunk to {@link update}, before it is used for
 * anything that cannot be undone, and call {@link finish} at the end.
 */
export class BlobVerifier {
  readonly #descriptor: Pick<Descriptor, 'digest' | 'size'>;
  readonly #hash: StreamHash;
  #received = 0;

  /** @throws BlobError `UNSUPPORTED_DIGEST` for an algorithm that cannot be computed. */
  constructor(descriptor: Pick<Descriptor, 'digest' | 'size'>) {
    if (!isVerifiable(descriptor.digest)) {
      throw new BlobError('UNSUPPORTED_DIGEST', descriptor.digest, `Cannot verify the digest ${descriptor.digest}`);
    }
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
    const { digest, size } = this.#descriptor;
    this.#received += chunk.length;
    if (this.#received > size) {
      throw new BlobError('BLOB_SIZE_MISMATCH', digest, `Blob ${digest} is longer than its size of ${size} bytes`);
    }
  }

  /** @throws BlobError `BLOB_SIZE_MISMATCH` for a short stream, `BLOB_DIGEST_MISMATCH` for other content. */
  finish(): void {
    const { digest, size } = this.#descriptor;
    if (this.#received < size) {
      const message = `Blob ${digest} ends after ${this.#received} of ${size} bytes`;
      throw new BlobError('BLOB_SIZE_MISMATCH', digest, message);
    }
    const found = `${digestAlgorithm(digest)}:${this.#hash.digest()}`;
    if (found !== digest) {
      const message = `Blob digest mismatch: expected ${digest}, got ${found}`;
      throw new BlobError('BLOB_DIGEST_MISMATCH', digest, message);
    }
  }
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
  const verifier = new BlobVerifier(descriptor);
  const chunks: Buffer[] = [];
  for (const chunk of readLocation(location)) {
    verifier.update(chunk);
    chunks.push(chunk);
  }
  verifier.finish();
  return Buffer.concat(chunks);
}
