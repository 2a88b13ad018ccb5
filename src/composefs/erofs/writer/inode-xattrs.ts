import { type ByteString, byteStringFromText } from '../../../bytes/byte-string.js';
import { withContext } from '../../../errors.js';
import { digestSize } from '../../fsverity/algorithm.js';
import { objectIdFromPathname } from '../../fsverity/object-id.js';
import type { Xattrs } from '../../tree/stat.js';
import { formatEpoch } from '../format/constants.js';
import { METACOPY_HEADER_SIZE } from '../format/metacopy.js';
import {
  ESCAPED_OPAQUE,
  ESCAPED_WHITEOUT,
  ESCAPED_WHITEOUTS,
  OVERLAY_METACOPY,
  OVERLAY_OPAQUE,
  OVERLAY_REDIRECT,
  USER_OPAQUE,
  USER_WHITEOUT,
  USER_WHITEOUTS,
} from '../format/overlay-names.js';
import { type ImageInode, INODE_KIND } from './image-inode.js';
import { InvalidTreeError } from './invalid-tree-error.js';
import { ObjectTable, ObjectXattr } from './object-xattrs.js';
import type { ErofsOptions } from './options.js';
import { measureArea } from './share-xattrs.js';
import type { StoredName, XattrEntry, XattrTable } from './xattr-table.js';
import { metacopyValue, REDIRECT_SLASHES, REDIRECT_VALUE } from './xattr-value.js';

const EMPTY: ByteString = byteStringFromText('');
const NONE: readonly XattrEntry[] = [];
const OPAQUE_WITH_WHITEOUTS: ByteString = byteStringFromText('x');
const OPAQUE: ByteString = byteStringFromText('y');

/** What the xattrs of one inode are stored as, one inode after the other (spec 20 §3.3 to §3.6, §6). */
export class XattrAssigner {
  /** What is stored for objects: the digest, and the path. */
  readonly objectXattrs: readonly [metacopy: ObjectXattr, redirect: ObjectXattr];
  readonly #table: XattrTable;
  readonly #options: ErofsOptions;
  readonly #isEpoch1: boolean;
  readonly #objects: ObjectTable;
  readonly #metacopy: StoredName;
  readonly #redirect: StoredName;
  /** Those of the tree, for the xattrs that many inodes share. */
  readonly #treeEntries = new Map<Xattrs, readonly XattrEntry[]>();

  constructor(table: XattrTable, options: ErofsOptions) {
    const { algorithm } = options;
    const digestLength = digestSize(algorithm);
    this.#table = table;
    this.#options = options;
    this.#isEpoch1 = formatEpoch(options.version) === 1;
    this.#objects = new ObjectTable(digestLength);
    this.#metacopy = table.internalName(OVERLAY_METACOPY, metacopyValue(algorithm));
    this.#redirect = table.internalName(OVERLAY_REDIRECT, REDIRECT_VALUE);
    this.objectXattrs = [
      new ObjectXattr(this.#objects, this.#metacopy, METACOPY_HEADER_SIZE + digestLength),
      new ObjectXattr(this.#objects, this.#redirect, REDIRECT_SLASHES + 2 * digestLength),
    ];
  }

  /** Counts an inode among the users of its xattrs, for which {@link read} has to know all inodes. */
  count(inode: ImageInode): void {
    for (const entry of this.#entries(inode)) entry.users++;
  }

  /** Gives an inode its xattrs, valid until the next call. */
  read(inode: ImageInode): void {
    inode.xattrs = this.#entries(inode);
    measureArea(inode, this.#isEpoch1 ? 1 : 2);
  }

  /** V2: overlay xattrs first, then the tree's in order of their unescaped names. V0 and V1: by stored name. */
  #entries(inode: ImageInode): readonly XattrEntry[] {
    const own = this.#ofFile(inode);
    const tree = inode.treeXattrs.size > 0 ? this.#ofTree(inode.treeXattrs) : NONE;
    const isEscaped = inode.kind === INODE_KIND.ESCAPED_WHITEOUT;
    const isMarked = this.#isEpoch1 && (inode.isRoot || inode.hasWhiteouts || isEscaped);
    if (!isMarked) {
      if (own.length === 0) return tree;
      if (tree.length === 0) return own;
    }
    const entries = [...own, ...tree];
    if (isMarked) this.#addMarkers(entries, inode);
    return this.#isEpoch1 ? entries.sort(byName) : entries;
  }

  #ofTree(xattrs: Xattrs): readonly XattrEntry[] {
    let entries = this.#treeEntries.get(xattrs);
    if (entries === undefined) {
      const names = [...xattrs.keys()].sort();
      const inOrder = names.map((name) => this.#table.entry(this.#table.treeName(name), xattrs.get(name) ?? EMPTY));
      entries = this.#isEpoch1 ? inOrder.sort(byName) : inOrder;
      this.#treeEntries.set(xattrs, entries);
    }
    return entries;
  }

  #ofFile(inode: ImageInode): readonly XattrEntry[] {
    // C makes a plain empty file of it, composefs-rs a chunk-based one (spec 20 §16.8).
    if (inode.contentSize === 0 && this.#options.dialect === 'mkcomposefs') return NONE;
    const [metacopy, redirect] = this.objectXattrs;
    switch (inode.kind) {
      case INODE_KIND.EXTERNAL:
        metacopy.select(this.#objectOf(inode));
        redirect.select(inode.object);
        return this.objectXattrs;
      case INODE_KIND.EXTERNAL_ELSEWHERE: {
        metacopy.select(this.#objectOf(inode));
        if (this.#options.dialect !== 'mkcomposefs') {
          redirect.select(inode.object);
          return this.objectXattrs;
        }
        return [metacopy, ...this.#elsewhere(inode.leaves.dataText(inode.row, inode.leaves.digestLength(inode.row)))];
      }
      case INODE_KIND.NO_VERITY:
        return [this.#table.entry(this.#metacopy, ''), ...this.#elsewhere(inode.leaves.dataText(inode.row))];
      case INODE_KIND.SPARSE:
        return [this.#table.entry(this.#metacopy, '')];
      default:
        return NONE;
    }
  }

  /** The number of a file's object. */
  #objectOf(inode: ImageInode): number {
    if (inode.object >= 0) return inode.object;
    const { leaves, row } = inode;
    const { algorithm } = this.#options;
    if (leaves.digestLength(row) !== digestSize(algorithm)) {
      const id = leaves.dataText(row).slice(0, leaves.digestLength(row));
      throw new InvalidTreeError(
        'digest',
        `object id ${Buffer.from(id, 'latin1').toString('hex')} is not a ${algorithm} digest`,
      );
    }
    inode.object = this.#objects.add(leaves, row);
    return inode.object;
  }

  /** The object by its path: where the dumpfile says something else, and the image is C's, that (spec 20 §16.9). */
  #elsewhere(payload: ByteString): readonly XattrEntry[] {
    if (payload === '') return NONE;
    const { algorithm, dialect } = this.#options;
    const [, redirect] = this.objectXattrs;
    if (dialect !== 'mkcomposefs') {
      const id = withContext('invalid object pathname', () => objectIdFromPathname(algorithm, payload));
      return [redirect.select(this.#objects.addId(id))];
    }
    const isObjectPath = payload.length === 2 * digestSize(algorithm) + 1 && /^[0-9a-f]{2}\/[0-9a-f]+$/.test(payload);
    return isObjectPath
      ? [redirect.select(this.#objects.addId(objectIdFromPathname(algorithm, payload)))]
      : [this.#table.entry(this.#redirect, `/${payload}`)];
  }

  #addMarkers(entries: XattrEntry[], inode: ImageInode): void {
    if (inode.kind === INODE_KIND.ESCAPED_WHITEOUT) {
      this.#set(entries, ESCAPED_WHITEOUT, EMPTY);
      this.#set(entries, USER_WHITEOUT, EMPTY);
    }
    if (inode.hasWhiteouts) {
      this.#set(entries, ESCAPED_WHITEOUTS, EMPTY);
      this.#set(entries, USER_WHITEOUTS, EMPTY);
      if (this.#options.version === 1) {
        this.#set(entries, ESCAPED_OPAQUE, OPAQUE_WITH_WHITEOUTS);
        this.#set(entries, USER_OPAQUE, OPAQUE_WITH_WHITEOUTS);
      }
    }
    if (inode.isRoot) this.#set(entries, OVERLAY_OPAQUE, OPAQUE);
  }

  /** Replaces a value of the tree's own: an inode that has one name twice is malformed (spec 20 §16.4). */
  #set(entries: XattrEntry[], name: ByteString, value: ByteString): void {
    const stored = this.#table.internalName(name);
    const entry = this.#table.entry(stored, value);
    const existing = entries.findIndex((other) => other.name === stored);
    if (existing < 0) entries.push(entry);
    else entries[existing] = entry;
  }
}

function byName(a: XattrEntry, b: XattrEntry): number {
  return a.name.name < b.name.name ? -1 : a.name.name > b.name.name ? 1 : 0;
}
