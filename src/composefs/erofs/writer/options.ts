import type { HashAlgorithm } from '../../fsverity/algorithm.js';
import type { LeafOrigins } from '../../tree/leaf-origin.js';
import type { FormatVersion } from '../format/constants.js';

export interface ErofsOptions {
  readonly version: FormatVersion;
  /** Of the digests in the tree. */
  readonly algorithm: HashAlgorithm;
  /**
   * Where each leaf of a dumpfile was defined and with which link count. If given (even empty), the image is byte for
   * byte that of the C tools where they and composefs-rs disagree (spec 20 §16.3, §16.6 to §16.11).
   */
  readonly origins?: LeafOrigins | undefined;
}
