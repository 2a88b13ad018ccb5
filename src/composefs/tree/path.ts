/** Paths inside a tree, as byte strings (spec 30 §7.4). */

import { type ByteString, byteStringFromText, sliceBytes, splitBytes } from '../../bytes/byte-string.js';

/**
 * The components of a path: empty ones and `.` are dropped, `..` is kept, and so is the leading `.` of a relative path.
 * Neither a leading nor a trailing slash has an effect.
 */
export function pathComponents(path: ByteString): ByteString[] {
  return splitBytes(path, '/').filter((part, index) => part !== '' && (part !== '.' || index === 0));
}

/** The last component if it is a normal name; undefined for an empty path, `/`, and anything that ends in `..`. */
export function fileName(path: ByteString): ByteString | undefined {
  const last = pathComponents(path).at(-1);
  return last === undefined || isDots(last) ? undefined : last;
}

/** Everything before the last component. */
export function parentPath(path: ByteString): ByteString {
  let end = path.length;
  for (;;) {
    end = trimSlashes(path, end);
    // A `.` that is not the first component is no component: it hides behind the one before it.
    if (end >= 2 && path[end - 1] === '.' && path[end - 2] === '/') end -= 1;
    else break;
  }
  return sliceBytes(path, 0, Math.max(path.lastIndexOf('/', end - 1), 0));
}

export const DOT: ByteString = byteStringFromText('.');
export const DOT_DOT: ByteString = byteStringFromText('..');

export function isDots(name: ByteString): boolean {
  return name === DOT || name === DOT_DOT;
}

function trimSlashes(path: ByteString, end: number): number {
  let trimmed = end;
  while (trimmed > 0 && path[trimmed - 1] === '/') trimmed -= 1;
  return trimmed;
}
