import { hash } from 'node:crypto';
import type { ObjectId } from '../../../composefs/fsverity/object-id.js';
import type { ObjectStore } from '../../../composefs/repository/objects/object-store.js';
import { SplitStreamWriter } from '../../../composefs/splitstream/index.js';
import { loadZstdEncode, type ZstdEncode } from '../../../compression/zstd/encode.js';
import { ComposefsError } from '../../../errors.js';
import { type StreamHash, streamHash } from '../../../linux/stream-hash.js';
import type { TarLimits } from '../../../tar/limits.js';
import { Turns } from '../../../threads/turns.js';
import { hashAlgorithm, type OciDigest, parseOciDigest } from '../../model/digest.js';
import { tarLimits } from '../../model/layer-limits.js';
import { BLOB_CONTENT_TYPE, LAYER_CONTENT_TYPE } from '../../store/identifiers.js';
import { type ImportStats, objectStats } from './import-stats.js';
import { directQueue, type ObjectQueue } from './object-queue.js';
import { type LayerSplitter, splitTar } from './split-tar.js';

/** A layer that is stored, but has no name yet. */
export interface StoredLayer {
  /** Its splitstream. */
  readonly id: ObjectId;
  readonly stats: ImportStats;
  /** The digest of the tar; undefined of what is stored as it came. */
  readonly diffId?: OciDigest;
}

export interface StoreTarOptions {
  readonly signal?: AbortSignal | undefined;
  /** Where the objects go, by default to the store at once. The splitstream goes to the store. */
  readonly queue?: ObjectQueue | undefined;
  /** Whether whoever gives the tar compares it with the diff_id, as it is the digest of the blob: one hash is enough. */
  readonly isVerified?: boolean | undefined;
  /** By default those of any tar that does not come from a blob. */
  readonly limits?: TarLimits | undefined;
}

/**
 * Splits an uncompressed tar into objects and a splitstream, and stores both. The reference takes the diff_id on
 * trust; here nothing can be stored under a diff_id that is not its own (spec 40, H-1).
 *
 * @param diffId - undefined for tars in artifacts, which declare none.
 * @throws TarError, TarLimitError; ComposefsError `DIFF_ID_MISMATCH` if the tar is not that of `diffId`.
 */
export async function storeTar(
  objects: ObjectStore,
  diffId: OciDigest | undefined,
  tar: AsyncIterable<Buffer>,
  options: StoreTarOptions = {},
): Promise<StoredLayer> {
  const { signal } = options;
  return await storeSplitTar(objects, diffId, options, async (splitter, digest) => {
    // Source and decoder may never wait for anything, and a little of a blob can be a lot of tar.
    const turns = new Turns(signal);
    for await (const chunk of tar) {
      signal?.throwIfAborted();
      if (turns.isOver()) await turns.next();
      await pushBeside(splitter, digest, chunk);
    }
  });
}

/** Where a tar goes piece by piece. */
export interface PushedTar {
  /** A chunk is the caller's again after the call. */
  push(chunk: Buffer): void;
  /** {@link push}, with the digest of the tar computed beside it: the chunk is the caller's again when that is done. */
  pushBeside(chunk: Buffer): Promise<void>;
}

/** {@link storeTar} of a tar that `feed` pushes, all of it before it resolves. */
export async function storePushedTar(
  objects: ObjectStore,
  diffId: OciDigest | undefined,
  options: StoreTarOptions,
  feed: (tar: PushedTar) => Promise<void>,
): Promise<StoredLayer> {
  return await storeSplitTar(objects, diffId, options, async (splitter, digest) => {
    await feed({
      push: (chunk) => {
        digest?.update(chunk);
        splitter.push(chunk);
      },
      pushBeside: (chunk) => pushBeside(splitter, digest, chunk),
    });
  });
}

async function pushBeside(splitter: LayerSplitter, digest: TarDigest | undefined, chunk: Buffer): Promise<void> {
  const hashed = digest?.updateBeside(chunk);
  splitter.push(chunk);
  await hashed;
}

/** {@link storeTar} of a small tar, at once. Its memory is the caller's again after the call. */
export async function storeWholeTar(
  objects: ObjectStore,
  diffId: OciDigest | undefined,
  tar: Buffer,
  { limits = tarLimits(), isVerified = false }: Omit<StoreTarOptions, 'queue' | 'signal'>,
): Promise<StoredLayer> {
  const encode = await loadZstdEncode();
  const splitter = splitTar(objects.algorithm, directQueue(objects), LAYER_CONTENT_TYPE, limits);
  try {
    splitter.push(tar);
    const split = splitter.finish();
    const algorithm = tarAlgorithm(diffId);
    const found = isVerified ? diffId : requireDiffId(diffId, `${algorithm}:${hash(algorithm, tar, 'hex')}`);
    return storedLayer(storeSplitStream(objects, split.writer, encode), split.stats, found);
  } finally {
    splitter.abort();
  }
}

function storedLayer(id: ObjectId, stats: ImportStats, diffId: OciDigest | undefined): StoredLayer {
  return diffId === undefined ? { id, stats } : { id, stats, diffId };
}

/** @param feed gives all chunks to the splitter, and to the digest where there is one. */
async function storeSplitTar(
  objects: ObjectStore,
  diffId: OciDigest | undefined,
  { queue = directQueue(objects), limits = tarLimits(), isVerified = false }: StoreTarOptions,
  feed: (splitter: LayerSplitter, digest: TarDigest | undefined) => Promise<void>,
): Promise<StoredLayer> {
  const digest = isVerified ? undefined : new TarDigest(diffId);
  const splitter = splitTar(objects.algorithm, queue, LAYER_CONTENT_TYPE, limits);
  try {
    await feed(splitter, digest);
    const split = splitter.finish();
    const found = digest === undefined ? diffId : digest.finish();
    await queue.drain();
    return storedLayer(storeSplitStream(objects, split.writer, await loadZstdEncode()), split.stats, found);
  } finally {
    splitter.abort();
  }
}

/** The digest of a tar; where one is declared, it must be that. */
class TarDigest {
  readonly #declared: OciDigest | undefined;
  readonly #algorithm: string;
  readonly #hash: StreamHash;

  constructor(declared: OciDigest | undefined) {
    this.#declared = declared;
    this.#algorithm = tarAlgorithm(declared);
    this.#hash = streamHash(this.#algorithm);
  }

  update(chunk: Buffer): void {
    this.#hash.update(chunk);
  }

  /** As {@link StreamHash.updateBeside}. */
  updateBeside(chunk: Buffer): Promise<void> {
    return this.#hash.updateBeside(chunk);
  }

  finish(): OciDigest {
    return requireDiffId(this.#declared, `${this.#algorithm}:${this.#hash.digest()}`);
  }
}

function tarAlgorithm(declared: OciDigest | undefined): string {
  return declared === undefined ? 'sha256' : hashAlgorithm(declared);
}

/** The digest that was found. @throws ComposefsError `DIFF_ID_MISMATCH` */
function requireDiffId(declared: OciDigest | undefined, digest: string): OciDigest {
  const found = parseOciDigest(digest);
  if (declared === undefined || found === declared) return found;
  throw new ComposefsError(
    'DIFF_ID_MISMATCH',
    `layer content does not match declared diff_id: expected ${declared}, got ${found}`,
  );
}

/** Stores bytes as one object with a splitstream around it: what a layer of an artifact is (spec 40 §1.3). */
export async function storeBlob(
  objects: ObjectStore,
  content: AsyncIterable<Buffer> | Iterable<Buffer>,
  signal?: AbortSignal,
): Promise<StoredLayer> {
  const object = objects.createWriter();
  try {
    for await (const chunk of content) {
      signal?.throwIfAborted();
      object.write(chunk);
    }
    const { id, size, method } = object.finish();
    const writer = new SplitStreamWriter(objects.algorithm, BLOB_CONTENT_TYPE);
    writer.addExternalSize(size);
    writer.writeReference(id);
    const stream = storeSplitStream(objects, writer, await loadZstdEncode());
    return { id: stream, stats: objectStats(method, size) };
  } finally {
    object.abort();
  }
}

function storeSplitStream(objects: ObjectStore, writer: SplitStreamWriter, encode: ZstdEncode): ObjectId {
  const spool = writer.finish(encode);
  try {
    return objects.ensureIntact(() => objects.ensureObjectFromChunks(spool.chunks()));
  } finally {
    spool.dispose();
  }
}
