import type { ByteString } from '../../../bytes/byte-string.js';
import { HexParseError } from '../../../bytes/hex.js';
import { digestSize, type HashAlgorithm, kernelId } from '../../fsverity/algorithm.js';
import { type ObjectId, objectIdFromPathname } from '../../fsverity/object-id.js';
import { NO_XATTRS, type Xattrs } from '../../tree/stat.js';
import { decodeMetacopy, metacopySize } from '../format/metacopy.js';
import {
  ESCAPED_OPAQUE,
  ESCAPED_WHITEOUT,
  ESCAPED_WHITEOUTS,
  isOverlayName,
  USER_OPAQUE,
  USER_WHITEOUT,
  USER_WHITEOUTS,
  unescapeOverlayName,
} from '../format/overlay-names.js';
import type { ReadBudget } from './budget.js';
import { invalidImage } from './errors.js';
import type { ErofsInode } from './inode.js';
import type { Xattr } from './xattr.js';

/** Suffixes after `trusted.`. */
export const METACOPY_SUFFIX = 'overlay.metacopy';
export const REDIRECT_SUFFIX = 'overlay.redirect';
export const WHITEOUT_SUFFIX = 'overlay.overlay.whiteout';

/** Names that the writer adds for whiteouts: they say nothing that the tree does not. */
const MARKERS: ReadonlySet<ByteString> = new Set([
  ESCAPED_WHITEOUT,
  ESCAPED_WHITEOUTS,
  ESCAPED_OPAQUE,
  USER_WHITEOUT,
  USER_WHITEOUTS,
  USER_OPAQUE,
]);

/** What the xattrs of an inode mean. */
export interface InodeXattrs {
  /** Those of the tree, under their own names. */
  readonly xattrs: Xattrs;
  readonly isEscapedWhiteout: boolean;
  /** Entries to take object ids from, shared ones first. */
  readonly overlay: readonly Xattr[];
}

/** Reads xattrs; shared ones only once for an image. */
export class XattrReader {
  readonly #budget: ReadBudget;
  readonly #shared = new Map<number, Decoded>();

  constructor(budget: ReadBudget) {
    this.#budget = budget;
  }

  /** @throws ErofsReaderError */
  read(inode: ErofsInode): InodeXattrs {
    if (inode.xattrSize === 0) return NONE;
    const xattrs = new Map<ByteString, ByteString>();
    const overlay: Xattr[] = [];
    let isEscapedWhiteout = false;
    const add = (decoded: Decoded): void => {
      if (decoded.kind === 'tree') xattrs.set(decoded.name, decoded.value);
      else if (decoded.kind === 'overlay') overlay.push(decoded.xattr);
      else if (decoded.kind === 'whiteout') isEscapedWhiteout = true;
    };
    for (const id of inode.sharedXattrIds()) add(this.#sharedXattr(inode, id));
    for (const xattr of inode.localXattrs()) add(decode(xattr));
    return { xattrs: xattrs.size > 0 ? xattrs : NO_XATTRS, isEscapedWhiteout, overlay };
  }

  #sharedXattr(inode: ErofsInode, id: number): Decoded {
    let decoded = this.#shared.get(id);
    if (decoded === undefined) {
      const xattr = inode.image.sharedXattr(id);
      this.#budget.charge(xattr.end - xattr.offset);
      decoded = decode(xattr);
      this.#shared.set(id, decoded);
    }
    return decoded;
  }
}

const NONE: InodeXattrs = { xattrs: NO_XATTRS, isEscapedWhiteout: false, overlay: [] };

type Decoded =
  | { readonly kind: 'tree'; readonly name: ByteString; readonly value: ByteString }
  | { readonly kind: 'overlay'; readonly xattr: Xattr }
  | { readonly kind: 'whiteout' }
  | { readonly kind: 'internal' };

/** The transformation of names of spec 20 §10. */
function decode(xattr: Xattr): Decoded {
  if (xattr.isTrusted(METACOPY_SUFFIX) || xattr.isTrusted(REDIRECT_SUFFIX)) return { kind: 'overlay', xattr };
  const { name } = xattr;
  if (name === ESCAPED_WHITEOUT) return { kind: 'whiteout' };
  if (MARKERS.has(name)) return { kind: 'internal' };
  const unescaped = unescapeOverlayName(name);
  if (unescaped === undefined && isOverlayName(name)) return { kind: 'internal' };
  return { kind: 'tree', name: unescaped ?? name, value: xattr.valueBytes };
}

/** The digest that metacopy states, for a file of a restricted image. @throws ErofsReaderError if it is malformed. */
export function metacopyDigest(xattrs: readonly Xattr[], algorithm: HashAlgorithm): ObjectId | undefined {
  for (const xattr of xattrs) {
    if (xattr.valueSize === 0 || !xattr.isTrusted(METACOPY_SUFFIX)) continue;
    const size = metacopySize(algorithm);
    const { value } = xattr;
    if (value.length !== size) {
      throw invalidImage(`malformed trusted.overlay.metacopy xattr: expected ${size} bytes, got ${value.length}`);
    }
    const id = decodeMetacopy(value, algorithm);
    if (id === undefined) {
      const [version, length, flags, digestAlgorithm] = value;
      throw invalidImage(
        `invalid trusted.overlay.metacopy: version=${version}, len=${length}, flags=${flags}, ` +
          `digest_algo=${digestAlgorithm} (expected version=0, len=${size}, flags=0, digest_algo=${kernelId(algorithm)})`,
      );
    }
    return id;
  }
  return undefined;
}

/** The first object that a redirect names; one that is not an object path is ignored. */
export function redirectObject(xattrs: readonly Xattr[], algorithm: HashAlgorithm): ObjectId | undefined {
  for (const xattr of xattrs) {
    if (!xattr.isTrusted(REDIRECT_SUFFIX)) continue;
    const id = parseRedirect(xattr, algorithm);
    if (id !== undefined) return id;
  }
  return undefined;
}

/** `/xx/yyyy…`: only the end counts. */
export function parseRedirect(xattr: Xattr, algorithm: HashAlgorithm): ObjectId | undefined {
  // A leading slash must not count as part of the path: `/xx…` one short of an object path is none.
  const path = xattr.valueBytes.replace(/^\//, '');
  if (path.length < 2 * digestSize(algorithm) + 1) return undefined;
  try {
    return objectIdFromPathname(algorithm, path);
  } catch (error) {
    if (error instanceof HexParseError) return undefined;
    throw error;
  }
}
