import { type ByteString, sliceBytes } from '../../bytes/byte-string.js';
import { METACOPY_HEADER_SIZE } from '../erofs/format/metacopy.js';
import {
  ESCAPED_WHITEOUT,
  ESCAPED_WHITEOUTS,
  isOverlayName,
  OVERLAY_METACOPY,
  OVERLAY_REDIRECT,
  USER_WHITEOUT,
  USER_WHITEOUTS,
  unescapeOverlayName,
} from '../erofs/format/overlay-names.js';
import type { ErofsImage } from '../erofs/reader/image.js';
import type { ErofsInode } from '../erofs/reader/inode.js';
import { METACOPY_SUFFIX, REDIRECT_SUFFIX } from '../erofs/reader/inode-xattrs.js';
import type { Xattr } from '../erofs/reader/xattr.js';
import { digestSize } from '../fsverity/algorithm.js';
import { type ObjectId, objectIdFromBytes } from '../fsverity/object-id.js';
import { NO_XATTRS, type Xattrs } from '../tree/stat.js';

/** Digests of the C tools are SHA-256 only. */
const METACOPY_SIZE = METACOPY_HEADER_SIZE + digestSize('sha256');

/** What the xattrs of an inode mean to the C tools. */
export interface CXattrs {
  /** Those of the tree, under their own names. */
  readonly xattrs: Xattrs;
  readonly isWhiteout: boolean;
  readonly digest: ObjectId | undefined;
  readonly payload: ByteString | undefined;
}

const NOTHING: CXattrs = { xattrs: NO_XATTRS, isWhiteout: false, digest: undefined, payload: undefined };

/** Reads xattrs as the C tools do: local, then shared ones; the last of a name counts. */
export class CXattrReader {
  readonly #image: ErofsImage;
  readonly #shared = new Map<number, Decoded>();
  /** By the ids of the shared xattrs they are made of: most inodes have one of a few labels, and maps are large. */
  readonly #known = new Map<string, Xattrs>();

  constructor(image: ErofsImage) {
    this.#image = image;
  }

  /** @throws ErofsReaderError */
  read(inode: ErofsInode): CXattrs {
    if (inode.xattrSize === 0) return NOTHING;
    const found = new FoundXattrs(inode.isRegular);
    const end = inode.offset + inode.headerSize + inode.xattrSize;
    for (const xattr of inode.localXattrs()) {
      // The C reader's loop ends one entry header early: an empty value without a suffix is not seen in last place.
      if (xattr.offset + 4 < end) found.add(decode(xattr));
    }
    const isAllShared = found.own.length === 0;
    let ids = '';
    for (const id of inode.sharedXattrIds()) if (found.add(this.#sharedXattr(id))) ids += `${id},`;
    const { own, isWhiteout, digest, payload } = found;
    return { xattrs: isAllShared ? this.#sharedMap(ids, own) : toMap(own), isWhiteout, digest, payload };
  }

  #sharedXattr(id: number): Decoded {
    let decoded = this.#shared.get(id);
    if (decoded === undefined) {
      decoded = decode(this.#image.sharedXattr(id));
      this.#shared.set(id, decoded);
    }
    return decoded;
  }

  #sharedMap(ids: string, own: readonly TreeXattr[]): Xattrs {
    if (own.length === 0) return NO_XATTRS;
    let xattrs = this.#known.get(ids);
    if (xattrs === undefined) {
      xattrs = toMap(own);
      this.#known.set(ids, xattrs);
    }
    return xattrs;
  }
}

interface TreeXattr {
  readonly name: ByteString;
  readonly value: ByteString;
}

class FoundXattrs {
  readonly #isRegular: boolean;
  readonly own: TreeXattr[] = [];
  isWhiteout = false;
  digest: ObjectId | undefined;
  payload: ByteString | undefined;

  constructor(isRegular: boolean) {
    this.#isRegular = isRegular;
  }

  /** True if it is one of the tree. */
  add(decoded: Decoded): boolean {
    if (decoded.kind === 'tree' || (decoded.kind === 'whiteout' && !this.#isRegular)) {
      this.own.push(decoded);
      return true;
    }
    if (!this.#isRegular) return false;
    if (decoded.kind === 'redirect') this.payload = decoded.path;
    else if (decoded.kind === 'metacopy') this.digest = decoded.digest;
    else if (decoded.kind === 'whiteout') this.isWhiteout = true;
    return false;
  }
}

type Decoded =
  | ({ readonly kind: 'tree' } & TreeXattr)
  /** Of a regular file, and a plain xattr of anything else. */
  | ({ readonly kind: 'whiteout' } & TreeXattr)
  | { readonly kind: 'redirect'; readonly path: ByteString }
  | { readonly kind: 'metacopy'; readonly digest: ObjectId }
  | { readonly kind: 'internal' };

function decode(xattr: Xattr): Decoded {
  // Nearly all local xattrs are these two; no string is made to tell.
  if (xattr.isTrusted(REDIRECT_SUFFIX)) return decodeRedirect(xattr);
  if (xattr.isTrusted(METACOPY_SUFFIX)) return decodeDigest(xattr);
  const { name, valueBytes: value } = xattr;
  const unescaped = unescapeOverlayName(name);
  switch (name) {
    case OVERLAY_REDIRECT:
      return decodeRedirect(xattr);
    case OVERLAY_METACOPY:
      return decodeDigest(xattr);
    case ESCAPED_WHITEOUT:
      return { kind: 'whiteout', name: unescaped ?? name, value };
    case ESCAPED_WHITEOUTS:
    case USER_WHITEOUT:
    case USER_WHITEOUTS:
      return INTERNAL;
  }
  if (unescaped === undefined && isOverlayName(name)) return INTERNAL;
  return { kind: 'tree', name: unescaped ?? name, value };
}

const INTERNAL: Decoded = { kind: 'internal' };

function decodeRedirect(xattr: Xattr): Decoded {
  const path = xattr.valueBytes;
  return { kind: 'redirect', path: path.length > 1 && path.startsWith('/') ? sliceBytes(path, 1) : path };
}

function decodeDigest(xattr: Xattr): Decoded {
  if (xattr.valueSize !== METACOPY_SIZE) return INTERNAL;
  return { kind: 'metacopy', digest: objectIdFromBytes(xattr.value.subarray(METACOPY_HEADER_SIZE)) };
}

/** A name that is set again moves to the end. */
function toMap(own: readonly TreeXattr[]): Xattrs {
  const xattrs = new Map<ByteString, ByteString>();
  for (const { name, value } of own) {
    xattrs.delete(name);
    xattrs.set(name, value);
  }
  return xattrs;
}
