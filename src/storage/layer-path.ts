import { type ByteString, sliceBytes } from '../bytes/byte-string.js';

/** Where a file of a layer lies below the layer's directory: its directory, empty for that itself, and its name. */
export interface LayerPath {
  readonly directory: ByteString;
  readonly name: ByteString;
}

/**
 * The place of a tar entry as containers/storage unpacks it: slashes at the beginning do not count, and `.` and `..` are
 * resolved by the text of the path, never above the root (spec 60 O-10).
 *
 * @returns undefined for the root itself, and for what no path can hold.
 */
export function layerPath(entryName: ByteString): LayerPath | undefined {
  if (entryName.includes('\0')) return undefined;
  const slash = entryName.lastIndexOf('/');
  // Most names are as they should be.
  if (!ODD_NAME.test(entryName))
    return { directory: sliceBytes(entryName, 0, Math.max(slash, 0)), name: sliceBytes(entryName, slash + 1) };
  const parts: string[] = [];
  for (const each of entryName.split('/')) {
    if (each === '..') parts.pop();
    else if (each !== '' && each !== '.') parts.push(each);
  }
  const name = parts.pop();
  return name === undefined ? undefined : { directory: parts.join('/') as ByteString, name: name as ByteString };
}

/** Empty components, `.` and `..`. */
const ODD_NAME = /(?:^|\/)\.{0,2}(?:\/|$)/;
