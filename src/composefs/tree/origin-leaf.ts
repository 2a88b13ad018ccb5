import type { ByteString } from '../../bytes/byte-string.js';
import type { Directory } from './inode.js';
import { Leaf, type LeafContent } from './inode.js';
import type { Stat } from './stat.js';

/**
 * A leaf with what a dumpfile or an image of the C tools says of it beyond the tree: C numbers a hard-linked inode at the
 * place of the line that defines it, and stores the link count which that line declares (spec 20 §16.6, §16.7).
 */
export class OriginLeaf extends Leaf {
  /** The directory of the defining line. */
  readonly directory: Directory;
  /** Its name there. */
  readonly name: ByteString;
  /** The declared link count. */
  readonly nlink: number;

  constructor(stat: Stat, content: LeafContent, directory: Directory, name: ByteString, nlink: number) {
    super(stat, content);
    this.directory = directory;
    this.name = name;
    this.nlink = nlink;
  }
}
