import { COMPOSEFS_MAGIC, HEADER_VERSION } from './constants.js';

/** The 32 bytes at the start of an image (spec 20 §1.2). */
export interface ComposefsHeader {
  readonly magic: number;
  readonly version: number;
  readonly flags: number;
  /** 0, 1 or 2: the format version. */
  readonly composefsVersion: number;
}

/** Writes the header into zeroed bytes. */
export function encodeHeader(target: DataView, flags: number, composefsVersion: number): void {
  target.setUint32(0, COMPOSEFS_MAGIC, true);
  target.setUint32(4, HEADER_VERSION, true);
  target.setUint32(8, flags, true);
  target.setUint32(12, composefsVersion, true);
}

/** Reads the header; the caller has checked that 32 bytes are there. */
export function decodeHeader(image: Buffer): ComposefsHeader {
  return {
    magic: image.readUInt32LE(0),
    version: image.readUInt32LE(4),
    flags: image.readUInt32LE(8),
    composefsVersion: image.readUInt32LE(12),
  };
}
