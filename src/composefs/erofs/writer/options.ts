import type { HashAlgorithm } from '../../fsverity/algorithm.js';
import type { FormatVersion } from '../format/constants.js';

/**
 * Whose image it is, byte for byte, where two programs make different ones of the same tree: that of composefs-rs, or that
 * of the C tools, which also go by where a leaf was defined (spec 20 §16.3, §16.6 to §16.11).
 */
export type ErofsDialect = 'composefs-rs' | 'mkcomposefs';

/** Which image is made of a tree. */
export interface ErofsOptions {
  readonly version: FormatVersion;
  /** Of the digests in the tree. */
  readonly algorithm: HashAlgorithm;
  /** Default `composefs-rs`. */
  readonly dialect?: ErofsDialect;
}
