import { createHash } from 'node:crypto';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ObjectStore } from '../../composefs/repository/objects/object-store.js';
import { catSplitStream, fdSource, SplitStreamReader } from '../../composefs/splitstream/index.js';
import { ComposefsError } from '../../errors.js';
import { runSteps, type Steps } from '../../threads/turns.js';
import { finishHash, hashLike, type OciDigest, parseOciDigest, sha256Digest } from '../model/digest.js';
import { LAYER_CONTENT_TYPE } from '../store/identifiers.js';
import { sparseFileSteps } from './verify-sparse.js';

/** Opens the splitstream of a layer. The caller closes the reader. */
export function openLayerStream(
  objects: ObjectStore,
  verity: ObjectId,
  contentType: bigint = LAYER_CONTENT_TYPE,
): SplitStreamReader {
  return runSteps(openLayerSteps(objects, verity, contentType));
}

/** {@link openLayerStream}. */
export function* openLayerSteps(
  objects: ObjectStore,
  verity: ObjectId,
  contentType: bigint = LAYER_CONTENT_TYPE,
): Steps<SplitStreamReader> {
  return SplitStreamReader.open(fdSource(yield* objects.openIntactSteps(verity)), objects.algorithm, { contentType });
}

/** What a stream is made of, in pieces. */
export function streamContent(objects: ObjectStore, reader: SplitStreamReader): Generator<Buffer> {
  return catSplitStream(reader, (id) => objects.readObjectChunks(id));
}

/**
 * The content of a layer in pieces: the tar, or the blob of an artifact. What differs from `digest` has been handed out
 * when that is found.
 *
 * @throws ComposefsError `DIGEST_MISMATCH` after the last piece if the content is not that of `digest`.
 */
export function* verifiedLayerContent(
  objects: ObjectStore,
  reader: SplitStreamReader,
  digest: OciDigest,
): Generator<Buffer> {
  const hash = hashLike(digest);
  for (const chunk of streamContent(objects, reader)) {
    hash.update(chunk);
    yield chunk;
  }
  const found = finishHash(hash, digest);
  if (found === digest) return;
  throw new ComposefsError(
    'DIGEST_MISMATCH',
    `Layer has incorrect checksum: expected ${digest}, its content is ${found}`,
    {
      hint: 'remove the files that `cfsctl fsck` finds damaged, and pull the image again: what is missing is stored anew',
    },
  );
}

/**
 * Reads a layer to its end, and compares its sparse files with what it says of them.
 *
 * @throws ComposefsError `DIGEST_MISMATCH`, LayerError
 */
export function verifyLayer(
  objects: ObjectStore,
  verity: ObjectId,
  diffId: string,
  contentType: bigint = LAYER_CONTENT_TYPE,
): void {
  runSteps(verificationSteps(objects, verity, diffId, contentType));
}

/** {@link verifyLayer}. */
export function* verificationSteps(
  objects: ObjectStore,
  verity: ObjectId,
  diffId: string,
  contentType: bigint = LAYER_CONTENT_TYPE,
): Steps<void> {
  const digest = parseOciDigest(diffId);
  const reader = yield* openLayerSteps(objects, verity, contentType);
  try {
    for (const _ of verifiedLayerContent(objects, reader, digest)) yield;
  } finally {
    reader.close();
  }
  if (reader.detachedRefs.length > 0) yield* verifySparseSteps(objects, verity);
}

function* verifySparseSteps(objects: ObjectStore, verity: ObjectId): Steps<void> {
  const reader = yield* openLayerSteps(objects, verity);
  try {
    yield* sparseFileSteps(objects, reader);
  } finally {
    reader.close();
  }
}

/** The digest of a stored layer's tar. */
export function* layerDigestSteps(objects: ObjectStore, verity: ObjectId): Steps<OciDigest> {
  const hash = createHash('sha256');
  const reader = yield* openLayerSteps(objects, verity);
  try {
    for (const chunk of streamContent(objects, reader)) {
      hash.update(chunk);
      yield;
    }
  } finally {
    reader.close();
  }
  return sha256Digest(hash.digest('hex'));
}
