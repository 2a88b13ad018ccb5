import type { ByteRegion } from '../../../bytes/byte-region.js';
import { type ByteString, byteStringFromText, concatBytes, writeBytes } from '../../../bytes/byte-string.js';
import { digestSize, type HashAlgorithm } from '../../fsverity/algorithm.js';
import { type ObjectId, objectPathname } from '../../fsverity/object-id.js';
import { encodeMetacopy, encodeMetacopyHeader, METACOPY_HEADER_SIZE } from '../format/metacopy.js';

const SLASH: ByteString = byteStringFromText('/');
const SLASH_BYTE = 0x2f;

/**
 * The value of an xattr. Nearly every file has two values that are made of its object's digest, which the tree holds
 * already: as text of their own they would be most of what writing an image allocates.
 *
 * Equal values have equal keys within a name.
 */
export interface ValueForm {
  size(key: string): number;
  write(target: ByteRegion, offset: number, key: string): void;
  /** The value itself. */
  bytes(key: string): ByteString;
}

/** Any xattr: the key is the value. */
export const PLAIN_VALUE: ValueForm = {
  size: (key) => key.length,
  write: (target, offset, key) => writeBytes(target.bytes, offset, key),
  bytes: (key) => key as ByteString,
};

/** `trusted.overlay.metacopy`: the key is the digest, or empty. */
export function metacopyValue(algorithm: HashAlgorithm): ValueForm {
  return {
    size: (key) => (key === '' ? 0 : METACOPY_HEADER_SIZE + digestSize(algorithm)),
    write: (target, offset, key) => {
      if (key === '') return;
      encodeMetacopyHeader(target.view, offset, algorithm);
      target.bytes.write(key, offset + METACOPY_HEADER_SIZE, 'hex');
    },
    bytes: (key) => (key === '' ? PLAIN_VALUE.bytes(key) : encodeMetacopy(key as ObjectId, algorithm)),
  };
}

/** What `/xx/yyyy…` has beside the digits. */
export const REDIRECT_SLASHES = 2;

/** `trusted.overlay.redirect`: the key is the digest for `/xx/yyyy…`, or any other path, which begins with a slash. */
export const REDIRECT_VALUE: ValueForm = {
  size: (key) => (key.startsWith('/') ? key.length : key.length + REDIRECT_SLASHES),
  write: ({ bytes }, offset, key) => {
    if (key.startsWith('/')) {
      writeBytes(bytes, offset, key);
      return;
    }
    // The digest where its end belongs, then its first two digits as the directory.
    writeBytes(bytes, offset + 2, key);
    bytes[offset] = SLASH_BYTE;
    bytes.copyWithin(offset + 1, offset + 2, offset + 4);
    bytes[offset + 3] = SLASH_BYTE;
  },
  bytes: (key) =>
    key.startsWith('/')
      ? PLAIN_VALUE.bytes(key)
      : concatBytes(SLASH, byteStringFromText(objectPathname(key as ObjectId))),
};
