import { type ByteString, byteStringFrom, byteStringToBuffer } from '../bytes/byte-string.js';

/** Where a file of a layer lies below the layer's directory: its directory, empty for that itself, and its name. */
export interface LayerPath {
  readonly directory: ByteString;
  readonly name: Buffer;
}

/**
 * The place of a tar entry as containers/storage unpacks it: slashes at the beginning do not count, and `.` and `..` are
 * resolved by the text of the path, never above the root (spec 60 O-10).
 *
 * @returns undefined for the root itself, and for what no path can hold.
 */
export function layerPath(entryName: Buffer): LayerPath | undefined {
  if (entryName.includes(0)) return undefined;
  const parts: string[] = [];
  for (const part of entryName.toString('latin1').split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  const name = parts.pop();
  if (name === undefined) return undefined;
  return {
    directory: byteStringFrom(Buffer.from(parts.join('/'), 'latin1')),
    name: byteStringToBuffer(name as ByteString),
  };
}
