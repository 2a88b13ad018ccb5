import { invalidHexCharacter, invalidStringLength, normalizeHex, oddLength } from '../../bytes/hex.js';
import { digestSize, type HashAlgorithm } from './algorithm.js';

declare const brand: unique symbol;

/**
 * The fs-verity digest that names an object: lower-case hex, 64 (sha256) or 128 (sha512) characters.
 * Usable as a Map key; the repository knows the algorithm.
 */
export type ObjectId = string & { readonly [brand]: 'ObjectId' };

/** The id of raw digest bytes. */
export function objectIdFromBytes(digest: Uint8Array): ObjectId {
  return Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength).toString('hex') as ObjectId;
}

/** The digest as bytes: 32 or 64 of them. */
export function objectIdToBytes(id: ObjectId): Buffer {
  return Buffer.from(id, 'hex');
}

/** The id of hex text that is already known to be well formed, such as the output of a hash. */
export function trustedObjectId(hex: string): ObjectId {
  return hex as ObjectId;
}

/** Parses hex in either case (spec 10 §3). */
export function parseObjectId(algorithm: HashAlgorithm, hex: string): ObjectId {
  if (hex.length % 2 !== 0) throw oddLength();
  if (hex.length !== 2 * digestSize(algorithm)) throw invalidStringLength();
  return normalizeHex(hex) as ObjectId;
}

/** `sha256:<hex>`: the form that people see. */
export function formatObjectId(algorithm: HashAlgorithm, id: ObjectId): string {
  return `${algorithm}:${id}`;
}

/** `xx/yyyy…`: where the object lies below `objects/`. */
export function objectPathname(id: ObjectId): string {
  return `${id.slice(0, 2)}/${id.slice(2)}`;
}

/** The id of an entry `basename` in the object directory `objects/<dirnum>`. */
export function objectIdFromDirAndBasename(algorithm: HashAlgorithm, dirnum: number, basename: string): ObjectId {
  if (basename.length !== 2 * (digestSize(algorithm) - 1)) throw invalidStringLength();
  return (dirnum.toString(16).padStart(2, '0') + normalizeHex(basename)) as ObjectId;
}

/** The id named by the trailing `xx/yyyy…` of a path; whatever precedes it is ignored (spec 10 §3). */
export function objectIdFromPathname(algorithm: HashAlgorithm, path: string): ObjectId {
  const length = 2 * digestSize(algorithm) + 1;
  if (path.length < length) throw invalidStringLength();
  const tail = path.slice(path.length - length);
  const directory = normalizeHex(tail.slice(0, 2));
  const separator = tail.charAt(2);
  if (separator !== '/') throw invalidHexCharacter(separator, 2);
  return (directory + normalizeHex(tail.slice(3))) as ObjectId;
}
