import type { ByteString } from '../../bytes/byte-string.js';
import { NO_XATTRS, type Xattrs } from '../tree/stat.js';

/** More different xattr lists than a usual tree has; a hostile dumpfile does not get more memory than that. */
const MAX_ENTRIES = 1024;

/** Gives inodes with the same xattrs the same map: most of a tree has one of a few SELinux labels, and maps are large. */
export class XattrCache {
  readonly #parse: (fields: ByteString) => Xattrs;
  readonly #known = new Map<ByteString, Xattrs>();

  /** @param parse reads the xattr fields of a line. */
  constructor(parse: (fields: ByteString) => Xattrs) {
    this.#parse = parse;
  }

  /** @param fields all that follows DIGEST and its space; undefined if there is no such space. */
  get(fields: ByteString | undefined): Xattrs {
    if (fields === undefined) return NO_XATTRS;
    let xattrs = this.#known.get(fields);
    if (xattrs === undefined) {
      xattrs = this.#parse(fields);
      if (this.#known.size >= MAX_ENTRIES) this.#known.clear();
      this.#known.set(fields, xattrs);
    }
    return xattrs;
  }
}
