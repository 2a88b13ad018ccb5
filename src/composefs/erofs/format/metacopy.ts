import { byteRegion } from '../../../bytes/byte-region.js';
import { type ByteString, byteStringFrom } from '../../../bytes/byte-string.js';
import { digestSize, type HashAlgorithm, kernelId } from '../../fsverity/algorithm.js';
import { type ObjectId, objectIdFromBytes, objectIdToBytes } from '../../fsverity/object-id.js';

/** Bytes before the digest: version 0, length, flags 0, algorithm (`struct ovl_metacopy` of Linux). */
export const METACOPY_HEADER_SIZE = 4;

/** Size of a `trusted.overlay.metacopy` value that holds a digest. */
export function metacopySize(algorithm: HashAlgorithm): number {
  return METACOPY_HEADER_SIZE + digestSize(algorithm);
}

/** The value that tells overlayfs which digest the object must have (spec 20 §1.7). */
export function encodeMetacopy(id: ObjectId, algorithm: HashAlgorithm): ByteString {
  const { bytes, view } = byteRegion(Buffer.alloc(METACOPY_HEADER_SIZE));
  encodeMetacopyHeader(view, 0, algorithm);
  return byteStringFrom(Buffer.concat([bytes, objectIdToBytes(id)]));
}

/** Writes the 4 bytes before the digest into zeroed bytes. */
export function encodeMetacopyHeader(target: DataView, offset: number, algorithm: HashAlgorithm): void {
  target.setUint8(offset + 1, metacopySize(algorithm));
  target.setUint8(offset + 3, kernelId(algorithm));
}

/** Whether a value of that length has exactly the header for `algorithm`, with the digest after it. */
export function isMetacopy(view: DataView, offset: number, length: number, algorithm: HashAlgorithm): boolean {
  const size = metacopySize(algorithm);
  return length === size && view.getUint32(offset, true) === (size << 8) + (kernelId(algorithm) << 24);
}

/** The digest in a value; undefined if size or any field is not exactly as for `algorithm`. */
export function decodeMetacopy(value: Uint8Array, algorithm: HashAlgorithm): ObjectId | undefined {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  if (!isMetacopy(view, 0, value.length, algorithm)) return undefined;
  return objectIdFromBytes(value.subarray(METACOPY_HEADER_SIZE));
}
