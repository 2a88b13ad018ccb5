import { type ByteString, byteStringFromText } from '../../../bytes/byte-string.js';
import type { Directory } from '../../tree/inode.js';
import { isWhiteout, Leaf, WHITEOUT } from '../../tree/inode.js';
import { NO_XATTRS, type Stat, type Xattrs } from '../../tree/stat.js';

/** `00` to `ff`: the directories of an object store, which the final overlay mount must not show (spec 20 §3.1). */
export const STUB_NAMES: readonly ByteString[] = Array.from({ length: 256 }, (_, n) =>
  byteStringFromText(n.toString(16).padStart(2, '0')),
);

const STUB_MODE = 0o644;
const SELINUX: ByteString = byteStringFromText('security.selinux');

/** The whiteout to put into `root` at each stub name that the tree leaves free. */
export function makeStubs(root: Directory): Map<ByteString, Leaf> {
  const stat = stubStat(root.stat);
  const free = STUB_NAMES.filter((name) => root.lookup(name) === undefined);
  return new Map(free.map((name) => [name, new Leaf(stat, WHITEOUT)]));
}

/** A whiteout of the tree's own that composefs-rs cannot tell from a stub, and so leaves as it is (spec 20 §3.5). */
export function looksLikeStub(root: Directory, name: ByteString, leaf: Leaf): boolean {
  const stub = stubStat(root.stat);
  const { stat } = leaf;
  return (
    isWhiteout(leaf.content) &&
    /^[0-9a-f]{2}$/.test(name) &&
    stat.mode === stub.mode &&
    stat.uid === stub.uid &&
    stat.gid === stub.gid &&
    stat.mtimeSec === stub.mtimeSec &&
    stat.mtimeNsec === stub.mtimeNsec &&
    stat.xattrs.size === stub.xattrs.size &&
    stat.xattrs.get(SELINUX) === stub.xattrs.get(SELINUX)
  );
}

function stubStat(root: Stat): Stat {
  const label = root.xattrs.get(SELINUX);
  const xattrs: Xattrs = label === undefined ? NO_XATTRS : new Map([[SELINUX, label]]);
  return { ...root, mode: STUB_MODE, xattrs };
}
