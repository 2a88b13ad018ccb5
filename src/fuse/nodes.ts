import type { ErofsImage } from '../composefs/erofs/reader/image.js';
import type { ErofsInode } from '../composefs/erofs/reader/inode.js';
import { S_IFBLK, S_IFCHR } from '../linux/constants.js';
import { type Attributes, ROOT_NODE, WireError } from './wire/index.js';

/** Node 1 is the root; any other nid n is node n + 2 (spec 50 §24.2). */
export function nodeOf(image: ErofsImage, nid: number): number {
  return nid === image.superblock.rootNid ? ROOT_NODE : nid + 2;
}

/** @throws ErofsReaderError if there cannot be such an inode; WireError for 0, which no node has. */
export function inodeOf(image: ErofsImage, node: number): ErofsInode {
  if (node < ROOT_NODE) throw new WireError('a node id of 0', 8);
  return node === ROOT_NODE ? image.root() : image.inode(node - 2);
}

/** As the kernel shows them of the same image. @throws ErofsReaderError if a field is beyond what can be. */
export function attributesOf(inode: ErofsInode, node: number, size: number = inode.exactSize): Attributes {
  const { type } = inode;
  return {
    ino: node,
    size,
    blocks: inode.isDirectory ? 0 : Math.ceil(size / 512),
    mtimeSec: inode.mtimeSec,
    mtimeNsec: inode.mtimeNsec,
    mode: inode.mode,
    nlink: inode.nlink,
    uid: inode.uid,
    gid: inode.gid,
    rdev: type === S_IFCHR || type === S_IFBLK ? inode.u : 0,
  };
}
