import {
  BLOCK_BITS,
  COMPOSEFS_MAGIC,
  EROFS_MAGIC,
  FEATURE_COMPAT_MTIME,
  FEATURE_COMPAT_SB_CHKSUM,
  FEATURE_COMPAT_XATTR_FILTER,
  FEATURE_INCOMPAT_CHUNKED_FILE,
  HEADER_VERSION,
  isFormatVersion,
} from '../format/constants.js';
import type { ComposefsHeader } from '../format/header.js';
import type { Superblock } from '../format/superblock.js';
import { invalidImage } from './errors.js';

const KNOWN_COMPAT = FEATURE_COMPAT_SB_CHKSUM | FEATURE_COMPAT_MTIME | FEATURE_COMPAT_XATTR_FILTER;
const KNOWN_INCOMPAT = FEATURE_INCOMPAT_CHUNKED_FILE;

/** What must hold of a composefs image besides being EROFS (spec 20 §9.2). @throws ErofsReaderError */
export function checkRestrictions(header: ComposefsHeader, sb: Superblock): void {
  const check = (holds: boolean, reason: string): void => {
    if (!holds) throw invalidImage(reason);
  };
  check(header.magic === COMPOSEFS_MAGIC, `bad composefs magic: expected 0xd078629a, got ${hex(header.magic)}`);
  check(
    header.version === HEADER_VERSION,
    `bad EROFS format version in composefs header: expected 1, got ${header.version}`,
  );
  check(
    isFormatVersion(header.composefsVersion),
    `unknown composefs_version ${header.composefsVersion} (expected 0, 1, or 2)`,
  );
  check(sb.magic === EROFS_MAGIC, `bad EROFS magic: expected 0xe0f5e1e2, got ${hex(sb.magic)}`);
  check(sb.blockBits === BLOCK_BITS, `composefs requires blkszbits=12, got ${sb.blockBits}`);
  const compat = (sb.featureCompat & ~KNOWN_COMPAT) >>> 0;
  check(compat === 0, `unsupported feature_compat flags: ${hex(compat)}`);
  const incompat = (sb.featureIncompat & ~KNOWN_INCOMPAT) >>> 0;
  check(incompat === 0, `unsupported feature_incompat flags: ${hex(incompat)}`);
  check(sb.compressionAlgorithms === 0, 'composefs does not support compression');
  check(sb.extraDevices === 0, `composefs does not support multi-device (extra_devices=${sb.extraDevices})`);
  check(sb.extSlots === 0, `composefs does not support extslots (extslots=${sb.extSlots})`);
  check(sb.packedNid === 0n, `composefs does not support packed inodes (packed_nid=${sb.packedNid})`);
  check(sb.metaBlock === 0, `composefs requires meta_blkaddr=0, got ${sb.metaBlock}`);
  check(sb.xattrPrefixCount === 0, `composefs does not support custom xattr prefixes (count=${sb.xattrPrefixCount})`);
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
