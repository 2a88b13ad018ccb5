import type { TarLimits } from '../../tar/limits.js';

/** How large a layer may be, so that a small blob fills neither memory nor disk. */
export interface LayerLimits {
  /**
   * Entries of the tar; by default two million. One with long names or large xattrs counts as several: one more for each
   * 512 bytes of its extension headers.
   */
  readonly maxEntries?: number | undefined;
  /**
   * Bytes of the tar, holes of sparse files included; by default 256 GiB, but the tar alone may not be more than 1100
   * times as large as its blob, or 16 GiB if that is more.
   */
  readonly maxBytes?: number | undefined;
}

/** An image of as many takes about 3 GB of memory. Real layers have some hundred thousand at most. */
const MAX_ENTRIES = 2_000_000;
const MAX_BYTES = 256 * 2 ** 30;
/** gzip cannot do better than 1032; Zstandard can, with what is no file system. */
const MAX_RATIO = 1100;
/** Zeros, which some images have many of, are not refused below this. */
const MAX_BYTES_ANY_RATIO = 16 * 2 ** 30;

/** @param blobSize - of the blob that the tar comes from, in bytes; undefined if it comes as it is. */
export function tarLimits({ maxEntries, maxBytes }: LayerLimits = {}, blobSize?: number): TarLimits {
  const limit = maxBytes ?? MAX_BYTES;
  const unpacked = blobSize === undefined ? limit : Math.max(MAX_BYTES_ANY_RATIO, MAX_RATIO * blobSize);
  return {
    maxEntries: maxEntries ?? MAX_ENTRIES,
    maxTarBytes: maxBytes ?? Math.min(unpacked, MAX_BYTES),
    maxBytes: limit,
  };
}
