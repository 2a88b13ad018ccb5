import { ComposefsError } from '../../errors.js';
import { type HashAlgorithm, kernelId, LG_BLOCKSIZE } from '../fsverity/algorithm.js';
import type { ObjectId } from '../fsverity/object-id.js';

/**
 * The fixed structures of a splitstream file (spec 30 §2.1). All integers are little-endian. The sections follow the
 * info block in this order: stream refs, object refs, named refs, stream.
 */

export const HEADER_SIZE = 32;
export const INFO_SIZE = 80;
/** Of what precedes each chunk of the body. */
export const CHUNK_HEADER_SIZE = 8;
/**
 * With what is ours behind it: a tag, since others may add something there, too, and the range of the detached refs.
 * Readers of the format ignore what follows byte 80.
 */
export const LONG_INFO_SIZE = 104;
const DETACHED_TAG = Buffer.from('detached', 'latin1');

const MAGIC = Buffer.from('SplitStream', 'latin1');
const VERSION = 0;

/** Absolute file offsets, the end excluded; not yet checked against anything. */
export interface FileRange {
  readonly start: bigint;
  readonly end: bigint;
}

/** An object that belongs to a stream and is no part of it. */
export interface DetachedRef {
  readonly id: ObjectId;
  /** In bytes. */
  readonly size: number;
}

export interface SplitStreamInfo {
  readonly streamRefs: FileRange;
  readonly objectRefs: FileRange;
  readonly stream: FileRange;
  readonly namedRefs: FileRange;
  /** Of objects that belong to the stream and are no part of it: index of the object ref and size, u64 each. */
  readonly detachedRefs?: FileRange;
  readonly contentType: bigint;
  /** Inline plus external bytes. */
  readonly streamSize: bigint;
}

/** Where the fields of the header are: the current layout, and the one that bootc up to 1.15 wrote. */
const LAYOUTS = [
  { magic: 0, version: 11, algorithm: 14, lgBlocksize: 15, info: 16 },
  { magic: 18, version: 29, algorithm: 30, lgBlocksize: 31, info: 0 },
] as const;

function findLayout(header: Buffer): (typeof LAYOUTS)[number] | undefined {
  return LAYOUTS.find(({ magic }) => header.subarray(magic, magic + MAGIC.length).equals(MAGIC));
}

/** Whether a file that begins with these 32 bytes, or fewer if it is shorter, says that it is a splitstream. */
export function isSplitStreamHeader(header: Buffer): boolean {
  return findLayout(header) !== undefined;
}

/** Checks a header of 32 bytes and returns the range of the info block. Flags are ignored. */
export function parseHeader(header: Buffer, algorithm: HashAlgorithm): FileRange {
  const layout = findLayout(header);
  if (layout === undefined) throw new SplitStreamError('Invalid splitstream header magic value');
  const version = header.readUInt8(layout.version);
  if (version !== VERSION) throw new SplitStreamError(`Invalid splitstream version ${version}`);
  if (header.readUInt8(layout.algorithm) !== kernelId(algorithm)) {
    throw new SplitStreamError('Invalid splitstream fs-verity algorithm type');
  }
  if (header.readUInt8(layout.lgBlocksize) !== LG_BLOCKSIZE) {
    throw new SplitStreamError('Invalid splitstream fs-verity block size');
  }
  return readRangeField(header, layout.info);
}

export function formatHeader(algorithm: HashAlgorithm, infoSize: number = INFO_SIZE): Buffer {
  const header = Buffer.alloc(HEADER_SIZE);
  MAGIC.copy(header, 0);
  header.writeUInt8(VERSION, 11);
  header.writeUInt16LE(0, 12); // flags
  header.writeUInt8(kernelId(algorithm), 14);
  header.writeUInt8(LG_BLOCKSIZE, 15);
  writeRangeField(header, 16, { start: BigInt(HEADER_SIZE), end: BigInt(HEADER_SIZE + infoSize) });
  return header;
}

/** Reads an info block of 80 or 104 bytes; what a later version may add behind them is ignored. */
export function parseInfo(info: Buffer): SplitStreamInfo {
  const hasDetachedRefs = info.length >= LONG_INFO_SIZE && info.subarray(80, 88).equals(DETACHED_TAG);
  return {
    ...(hasDetachedRefs && { detachedRefs: readRangeField(info, 88) }),
    streamRefs: readRangeField(info, 0),
    objectRefs: readRangeField(info, 16),
    stream: readRangeField(info, 32),
    namedRefs: readRangeField(info, 48),
    contentType: info.readBigUInt64LE(64),
    streamSize: info.readBigUInt64LE(72),
  };
}

export function formatInfo(info: SplitStreamInfo): Buffer {
  const bytes = Buffer.alloc(info.detachedRefs === undefined ? INFO_SIZE : LONG_INFO_SIZE);
  writeRangeField(bytes, 0, info.streamRefs);
  writeRangeField(bytes, 16, info.objectRefs);
  writeRangeField(bytes, 32, info.stream);
  writeRangeField(bytes, 48, info.namedRefs);
  bytes.writeBigUInt64LE(info.contentType, 64);
  bytes.writeBigUInt64LE(info.streamSize, 72);
  if (info.detachedRefs !== undefined) {
    DETACHED_TAG.copy(bytes, 80);
    writeRangeField(bytes, 88, info.detachedRefs);
  }
  return bytes;
}

function readRangeField(bytes: Buffer, offset: number): FileRange {
  return { start: bytes.readBigUInt64LE(offset), end: bytes.readBigUInt64LE(offset + 8) };
}

function writeRangeField(bytes: Buffer, offset: number, range: FileRange): void {
  bytes.writeBigUInt64LE(range.start, offset);
  bytes.writeBigUInt64LE(range.end, offset + 8);
}

/** A file that is not a well-formed splitstream (code `INVALID_SPLITSTREAM`). */
export class SplitStreamError extends ComposefsError {
  constructor(message: string) {
    super('INVALID_SPLITSTREAM', message);
  }
}

export function unexpectedEof(): SplitStreamError {
  return new SplitStreamError('Unexpected EOF in splitstream');
}
