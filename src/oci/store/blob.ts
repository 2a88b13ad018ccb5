import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import { wholeStreamSteps } from '../../composefs/repository/names/whole-stream.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import type { Repository } from '../../composefs/repository/repository.js';
import { ComposefsError } from '../../errors.js';
import { runInTurns } from '../../threads/turns.js';
import { type OciDigest, sha256ContentDigest } from '../model/digest.js';
import type { ContentAndVerity } from './content-and-verity.js';
import { readExternalStream, writeExternalStream } from './external-stream.js';
import { BLOB_CONTENT_TYPE, blobIdentifier } from './identifiers.js';

/** Stores a stand-alone blob. Nothing keeps it alive until something points at it. */
export async function writeBlob(repo: Repository, data: Buffer): Promise<ContentAndVerity> {
  const digest = sha256ContentDigest(data);
  const existing = repo.hasStream(blobIdentifier(digest));
  if (existing !== undefined && (await runInTurns(wholeStreamSteps(repo, existing, BLOB_CONTENT_TYPE)))) {
    return [digest, existing];
  }
  return [digest, await writeExternalStream(repo, blobIdentifier(digest), BLOB_CONTENT_TYPE, data, [])];
}

/** What of a stored blob is trusted. */
export interface OpenBlobOptions {
  /** The blob's stream, as its user knows it from a trusted place. Without it the content is compared with the digest. */
  readonly blobVerity?: ObjectId | undefined;
}

/**
 * Reads a stand-alone blob: by digest, checking its content, or by a trusted stream, without.
 *
 * @throws ComposefsError `DIGEST_MISMATCH` if the stored bytes are not those of `digest`.
 */
export function openBlob(repo: ReadableRepository, digest: OciDigest, { blobVerity }: OpenBlobOptions = {}): Buffer {
  const { data } = readExternalStream(repo, blobIdentifier(digest), BLOB_CONTENT_TYPE, blobVerity);
  if (blobVerity === undefined) {
    const found = sha256ContentDigest(data);
    if (found !== digest) {
      throw new ComposefsError('DIGEST_MISMATCH', `Blob integrity failed: expected ${digest}, got ${found}`);
    }
  }
  return data;
}
