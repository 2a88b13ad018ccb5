import type { ByteString } from '../../bytes/byte-string.js';
import type { Directory } from './inode.js';
import { Leaf, type LeafContent } from './inode.js';
import type { Stat } from './stat.js';

/**
 * What a dumpfile of the C tools says about a leaf beyond the tree: C numbers a hard-linked inode at the place of the
 * line that defines it, and stores the link count which that line declares (spec 20 §16.6, §16.7).
 */
export interface LeafOrigin {
  /** The directory of the defining line. */
  readonly directory: Directory;
  /** Its name there. */
  readonly name: ByteString;
  /** The declared link count. */
  readonly nlink: number;
}

/** The origins of leaves; undefined for those that have none. A Map is one. */
export interface LeafOrigins {
  get(leaf: Leaf): LeafOrigin | undefined;
}

/** A leaf that carries its origin itself: for hundreds of thousands, a map beside the tree costs as much as the tree. */
export class OriginLeaf extends Leaf implements LeafOrigin {
  readonly directory: Directory;
  readonly name: ByteString;
  readonly nlink: number;

  constructor(stat: Stat, content: LeafContent, directory: Directory, name: ByteString, nlink: number) {
    super(stat, content);
    this.directory = directory;
    this.name = name;
    this.nlink = nlink;
  }
}

/** The origins that leaves carry. */
export const OWN_ORIGINS: LeafOrigins = {
  get: (leaf) => (leaf instanceof OriginLeaf ? leaf : undefined),
};
