import type { ObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { parseObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { SplitStreamReader } from '../../../src/composefs/splitstream/reader.js';
import { bufferSource } from '../../../src/composefs/splitstream/source.js';
import type { SplitStreamWriter } from '../../../src/composefs/splitstream/writer.js';
import { loadZstdEncode, type ZstdEncode } from '../../../src/compression/zstd/encode.js';
import { rawFrame } from '../../compression/zstd/fixtures.js';

export const encode: ZstdEncode = await loadZstdEncode();

/** A sha256 id that is the byte `n` 32 times. */
export function idOf(n: number): ObjectId {
  return parseObjectId('sha256', n.toString(16).padStart(2, '0').repeat(32));
}

export function finished(writer: SplitStreamWriter): Buffer {
  const spool = writer.finish(encode);
  const bytes = Buffer.concat(Array.from(spool.chunks(), (chunk) => Buffer.from(chunk)));
  spool.dispose();
  return bytes;
}

export function open(file: Buffer, contentType?: bigint): SplitStreamReader {
  return SplitStreamReader.open(bufferSource(file), 'sha256', { contentType });
}

/** The chunks with adjacent inline parts joined: `inline <text>` or `external <first byte of the id>`. */
export function describe(reader: SplitStreamReader): string[] {
  const chunks: string[] = [];
  let inline = '';
  const flush = (): void => {
    if (inline !== '') chunks.push(`inline ${inline}`);
    inline = '';
  };
  for (const chunk of reader.chunks()) {
    if (chunk.type === 'inline') {
      inline += chunk.data.toString('latin1');
      continue;
    }
    flush();
    chunks.push(`external ${chunk.id.slice(0, 2)}`);
  }
  flush();
  return chunks;
}

/** The file with its header in the layout that bootc up to 1.15 wrote (spec 30 §2.1). */
export function toOldHeader(file: Buffer): Buffer {
  const old = Buffer.from(file);
  file.copy(old, 0, 16, 32); // info range
  file.copy(old, 16, 12, 14); // flags
  file.copy(old, 18, 0, 11); // magic
  file.copy(old, 29, 11, 12); // version
  file.copy(old, 30, 14, 16); // algorithm, block size
  return old;
}

export interface RawFileParts {
  readonly streamRefs?: Buffer;
  readonly objectRefs?: Buffer;
  /** Not compressed. */
  readonly namedRefs?: string | Buffer;
  /** Chunks, not compressed. */
  readonly body?: Buffer;
  /** In place of the compressed sections. */
  readonly namedRefsSection?: Buffer;
  readonly bodySection?: Buffer;
  /** Further bytes of the info block. */
  readonly moreInfo?: Buffer;
}

/** A file from parts that need not be right. Its compressed sections hold raw blocks, so that every byte is in view. */
export function rawFile(parts: RawFileParts): Buffer {
  const header = Buffer.from('53706c697453747265616d000000010c20000000000000007000000000000000', 'hex');
  const moreInfo = parts.moreInfo ?? Buffer.alloc(0);
  const info = Buffer.alloc(80);
  header.writeBigUInt64LE(BigInt(112 + moreInfo.length), 24);
  const sections: [number, Buffer][] = [
    [0, parts.streamRefs ?? Buffer.alloc(0)],
    [16, parts.objectRefs ?? Buffer.alloc(0)],
    [48, parts.namedRefsSection ?? rawFrame(Buffer.from(parts.namedRefs ?? ''))],
    [32, parts.bodySection ?? rawFrame(parts.body ?? Buffer.alloc(0))],
  ];
  let offset = 112 + moreInfo.length;
  for (const [field, section] of sections) {
    info.writeBigUInt64LE(BigInt(offset), field);
    offset += section.length;
    info.writeBigUInt64LE(BigInt(offset), field + 8);
  }
  return Buffer.concat([header, info, moreInfo, ...sections.map(([, section]) => section)]);
}

export function inlineChunk(text: string | Buffer, declared?: bigint): Buffer {
  const data = Buffer.from(text);
  return Buffer.concat([chunkHeader(-(declared ?? BigInt(data.length))), data]);
}

export function externalChunk(index: number | bigint): Buffer {
  return chunkHeader(BigInt(index));
}

function chunkHeader(value: bigint): Buffer {
  const header = Buffer.alloc(8);
  header.writeBigInt64LE(value);
  return header;
}
