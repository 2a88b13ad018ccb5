import { createHash } from 'node:crypto';
import { fsyncSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import { ObjectStore, type ObjectStoreOptions } from '../../composefs/repository/objects/object-store.js';
import { type CompressionChoice, compress } from '../../compression/compress.js';
import { writeFully } from '../../fs/files.js';
import type { ComponentId, ProgressReporter } from '../../progress.js';
import { type OciDigest, sha256Digest } from '../model/digest.js';
import { openLayerStream, streamContent, verifiedLayerContent } from './layer-content.js';

/** Bytes that a repository has as a stream: a layer's tar, or a blob. */
export interface StoredContent {
  readonly verity: ObjectId;
  readonly contentType: bigint;
  /** What the bytes are checked against; undefined where nobody has said what they should be. */
  readonly digest: OciDigest | undefined;
}

/** One layer to write as a blob, by a thread that shares the descriptors of the one that asks. */
export interface WriteLayerInput {
  readonly store: ObjectStoreOptions;
  readonly content: StoredContent;
  readonly compression: CompressionChoice;
  /** An open file, written from its present position on and synced. It must stay open until the task has ended. */
  readonly fd: number;
  /** Names the layer in progress events, whose unit are the bytes before compression. */
  readonly key: ComponentId;
}

/** What was written. */
export interface WrittenBlob {
  readonly digest: OciDigest;
  readonly size: number;
}

/** @throws ComposefsError `DIGEST_MISMATCH` after the last byte if the stored content is damaged. */
export async function writeLayerBlob(
  { store, content, compression, fd, key }: WriteLayerInput,
  { report, signal }: ProgressReporter & { readonly signal: AbortSignal },
): Promise<WrittenBlob> {
  const objects = new ObjectStore(store);
  const reader = openLayerStream(objects, content.verity, content.contentType);
  try {
    report({ type: 'started', id: key, total: reader.totalSize, unit: 'bytes' });
    let read = 0;
    const plain =
      content.digest === undefined
        ? streamContent(objects, reader)
        : verifiedLayerContent(objects, reader, content.digest);
    const counted = function* (): Generator<Buffer> {
      for (const chunk of plain) {
        read += chunk.length;
        yield chunk;
      }
    };
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of compress(counted(), compression)) {
      // Without a pause the message that asks to stop would never be read.
      await nextTurn();
      signal.throwIfAborted();
      hash.update(chunk);
      writeFully(fd, chunk);
      size += chunk.length;
      report({ type: 'progress', id: key, fetched: read });
    }
    fsyncSync(fd);
    report({ type: 'done', id: key, transferred: read });
    return { digest: sha256Digest(hash.digest('hex')), size };
  } finally {
    reader.close();
  }
}
