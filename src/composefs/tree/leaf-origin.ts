import type { ByteString } from '../../bytes/byte-string.js';
import type { Directory } from './directory.js';

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
