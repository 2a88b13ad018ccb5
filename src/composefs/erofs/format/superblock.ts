import { setInt64 } from '../../../bytes/int64.js';
import {
  BLOCK_BITS,
  EROFS_MAGIC,
  FEATURE_COMPAT_MTIME,
  FEATURE_COMPAT_XATTR_FILTER,
  SUPERBLOCK_OFFSET,
} from './constants.js';

/** What differs between images; the rest of the superblock is constant (spec 20 §1.3). */
export interface SuperblockFields {
  readonly rootNid: number;
  readonly inodeCount: number;
  /** Seconds, may be negative. */
  readonly buildTime: number;
  readonly buildTimeNsec: number;
  /** Image length in blocks. */
  readonly blockCount: number;
  /** Block from which shared xattr ids are counted. */
  readonly xattrBlock: number;
}

/** Writes the superblock at its place into zeroed bytes. */
export function encodeSuperblock(target: DataView, fields: SuperblockFields): void {
  const base = SUPERBLOCK_OFFSET;
  target.setUint32(base, EROFS_MAGIC, true);
  target.setUint32(base + 8, FEATURE_COMPAT_MTIME | FEATURE_COMPAT_XATTR_FILTER, true);
  target.setUint8(base + 12, BLOCK_BITS);
  target.setUint16(base + 14, fields.rootNid, true);
  setInt64(target, base + 16, fields.inodeCount);
  setInt64(target, base + 24, fields.buildTime);
  target.setUint32(base + 32, fields.buildTimeNsec, true);
  target.setUint32(base + 36, fields.blockCount, true);
  target.setUint32(base + 44, fields.xattrBlock, true);
}

/** The fields that a reader uses or checks. */
export interface Superblock {
  readonly magic: number;
  readonly featureCompat: number;
  readonly blockBits: number;
  readonly extSlots: number;
  readonly rootNid: number;
  readonly buildTime: bigint;
  readonly buildTimeNsec: number;
  readonly metaBlock: number;
  readonly xattrBlock: number;
  readonly featureIncompat: number;
  readonly compressionAlgorithms: number;
  readonly extraDevices: number;
  readonly xattrPrefixCount: number;
  readonly packedNid: bigint;
}

/** Reads the superblock; the caller has checked that 1152 bytes are there. */
export function decodeSuperblock(image: Buffer): Superblock {
  const base = SUPERBLOCK_OFFSET;
  return {
    magic: image.readUInt32LE(base),
    featureCompat: image.readUInt32LE(base + 8),
    blockBits: image.readUInt8(base + 12),
    extSlots: image.readUInt8(base + 13),
    rootNid: image.readUInt16LE(base + 14),
    buildTime: image.readBigInt64LE(base + 24),
    buildTimeNsec: image.readUInt32LE(base + 32),
    metaBlock: image.readUInt32LE(base + 40),
    xattrBlock: image.readUInt32LE(base + 44),
    featureIncompat: image.readUInt32LE(base + 80),
    compressionAlgorithms: image.readUInt16LE(base + 84),
    extraDevices: image.readUInt16LE(base + 86),
    xattrPrefixCount: image.readUInt8(base + 91),
    packedNid: image.readBigUInt64LE(base + 96),
  };
}
