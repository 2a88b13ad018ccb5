import assert from 'node:assert/strict';
import type { ByteString } from '../../src/bytes/byte-string.js';
import type { PathDescription } from './describe-directory.js';

/** The xattr of a layer that `umoci unpack` can set. */
export function isCapability(name: ByteString): boolean {
  return name === 'security.capability';
}

/** Applies the documented rules to what umoci unpacked: root metadata from `/usr`, `/run` empty with its time. */
export function canonicalise(tree: Map<string, PathDescription>): void {
  const usr = tree.get('usr');
  assert(usr !== undefined);
  tree.set('', usr);
  const run = tree.get('run');
  if (run === undefined) return;
  tree.set('run', { ...run, mtime: usr.mtime });
  for (const path of [...tree.keys()].filter((each) => each.startsWith('run/'))) tree.delete(path);
}
