import assert from 'node:assert/strict';
import { SplitStreamReader } from '../../../src/composefs/splitstream/reader.js';
import { bufferSource } from '../../../src/composefs/splitstream/source.js';
import { SplitStreamWriter } from '../../../src/composefs/splitstream/writer.js';
import type { LeafContent } from '../../../src/composefs/tree/inode.js';
import { loadZstdEncode, type ZstdEncode } from '../../../src/compression/zstd/encode.js';
import type { ImportStats } from '../../../src/oci/import/layer/import-stats.js';
import { directQueue } from '../../../src/oci/import/layer/object-queue.js';
import { splitTar } from '../../../src/oci/import/layer/split-tar.js';
import { readTarEntries, type TarEntry } from '../../../src/oci/layer/tar-entry.js';
import type { TarRules } from '../../../src/tar/header.js';
import { NO_TAR_LIMITS, type TarLimits } from '../../../src/tar/limits.js';
import { MemoryStore } from '../../support/memory-store.js';
import { tarArchive } from '../../support/tar-builder.js';

/** `ocilayer` */
export const CONTENT_TYPE = 0x726579616c69636fn;

const encode: ZstdEncode = await loadZstdEncode();

export interface ImportedTar {
  readonly splitStream: Buffer;
  readonly stats: ImportStats;
  readonly store: MemoryStore;
}

/** Splits a tar, pushed in chunks of one size, into a splitstream. */
export function importTar(
  tar: Buffer,
  store: MemoryStore = new MemoryStore(),
  chunkSize = 65536,
  limits: TarLimits = NO_TAR_LIMITS,
): ImportedTar {
  const splitter = splitTar(store.algorithm, directQueue(store), CONTENT_TYPE, limits);
  try {
    for (let start = 0; start < tar.length; start += chunkSize) splitter.push(tar.subarray(start, start + chunkSize));
    const { writer, stats } = splitter.finish();
    return { splitStream: finish(writer), stats, store };
  } finally {
    splitter.abort();
  }
}

/** A splitstream of any inline bytes and objects. */
export function makeSplitStream(parts: readonly (Buffer | { object: Buffer })[], store: MemoryStore): Buffer {
  const writer = new SplitStreamWriter(store.algorithm, CONTENT_TYPE);
  for (const part of parts) {
    if (Buffer.isBuffer(part)) writer.writeInline(part);
    else writer.writeReference(store.storeObject(part.object).id);
  }
  return finish(writer);
}

export function openSplitStream(splitStream: Buffer, store: MemoryStore): SplitStreamReader {
  return SplitStreamReader.open(bufferSource(splitStream), store.algorithm, { contentType: CONTENT_TYPE });
}

/** The entries of a tar, by way of its splitstream. */
export function entriesOf(tar: Buffer, rules?: TarRules): TarEntry[] {
  const { splitStream, store } = importTar(tar);
  return [...readTarEntries(openSplitStream(splitStream, store), rules)];
}

function finish(writer: SplitStreamWriter): Buffer {
  const spool = writer.finish(encode);
  try {
    return Buffer.concat(Array.from(spool.chunks(), (chunk) => Buffer.from(chunk)));
  } finally {
    spool.dispose();
  }
}

/** The only entry of a tar of these parts. */
export function only(...parts: Buffer[]): TarEntry {
  const [entry, ...others] = entriesOf(tarArchive(parts));
  assert(entry !== undefined);
  assert.equal(others.length, 0);
  return entry;
}

/** What the leaf of {@link only} is. */
export function content(...parts: Buffer[]): LeafContent {
  const { item } = only(...parts);
  assert.equal(item.type, 'leaf');
  assert(item.type === 'leaf');
  return item.content;
}
