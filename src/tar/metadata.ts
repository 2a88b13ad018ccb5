import { ENTRY_TYPE } from './entry-type.js';
import { readDevice, readHeaderNumbers, type TarFormat } from './header.js';
import type { PaxRecords } from './pax.js';
import { ParseFailure } from './tar-error.js';

/** The metadata of an entry, from its header and its PAX records. */
export interface EntryMetadata {
  /** Permissions; whatever type bits a header has are dropped. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970, negative before. */
  readonly mtimeSec: number;
  readonly mtimeNsec: number;
  /** Of a device; absent also in a v7 header. */
  readonly device: Device | undefined;
}

export interface Device {
  /** 12 bits, as Linux has them. */
  readonly major: number;
  /** 20 bits. */
  readonly minor: number;
}

/** @throws ParseFailure */
export function readMetadata(
  block: Buffer,
  type: number,
  format: TarFormat,
  pax: PaxRecords | undefined,
): EntryMetadata {
  const header = readHeaderNumbers(block);
  return {
    mode: permissions(header.mode),
    uid: checkOwner(pax?.uid ?? header.uid, 'uid'),
    gid: checkOwner(pax?.gid ?? header.gid, 'gid'),
    mtimeSec: checkTime(pax?.mtime ?? header.mtime),
    mtimeNsec: pax?.mtimeNsec ?? 0,
    device: isDevice(type) ? readDeviceNumbers(block, format) : undefined,
  };
}

function permissions(mode: number | bigint): number {
  return typeof mode === 'number' && mode >= 0 && mode < 2 ** 31
    ? mode & 0o7777
    : Number(BigInt.asUintN(12, BigInt(mode)));
}

/** The low 32 bits would make root of 2^32. Negative numbers are what some writers make of ids above 2^31. */
function checkOwner(value: number | bigint, what: string): number {
  if (value >= -(2 ** 31) && value < 2 ** 32) return Number(value) >>> 0;
  throw new ParseFailure(`invalid ${what}: ${value} does not fit 32 bits`);
}

function checkTime(value: number | bigint): number {
  if (typeof value === 'number') return value;
  throw new ParseFailure(`invalid mtime: ${value} is beyond the supported range of 2^53 - 1`);
}

function isDevice(type: number): boolean {
  return type === ENTRY_TYPE.CHARACTER_DEVICE || type === ENTRY_TYPE.BLOCK_DEVICE;
}

function readDeviceNumbers(block: Buffer, format: TarFormat): Device | undefined {
  const device = readDevice(block, format);
  if (device === undefined) return undefined;
  const { major, minor } = device;
  if (major >= 0 && major < 2 ** 12 && minor >= 0 && minor < 2 ** 20) {
    return { major: Number(major), minor: Number(minor) };
  }
  throw new ParseFailure(`invalid device ${major}:${minor}: Linux has 12 bits for the first number, 20 for the second`);
}
