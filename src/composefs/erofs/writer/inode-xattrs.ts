import { type ByteString, byteStringFromText } from '../../../bytes/byte-string.js';
import { withContext } from '../../../errors.js';
import type { Steps } from '../../../threads/turns.js';
import { digestSize } from '../../fsverity/algorithm.js';
import { type ObjectId, objectIdFromPathname } from '../../fsverity/object-id.js';
import type { RegularFile } from '../../tree/inode.js';
import type { Xattrs } from '../../tree/stat.js';
import { formatEpoch } from '../format/constants.js';
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
import type { ImageInode } from './image-inode.js';
import { InvalidTreeError } from './invalid-tree-error.js';
import type { ErofsOptions } from './options.js';
import type { StoredName, XattrEntry, XattrTable } from './xattr-table.js';
import { metacopyValue, REDIRECT_VALUE } from './xattr-value.js';

const EMPTY: ByteString = byteStringFromText('');
const NONE: readonly XattrEntry[] = [];
const OPAQUE_WITH_WHITEOUTS: ByteString = byteStringFromText('x');
const OPAQUE: ByteString = byteStringFromText('y');

/** Gives every inode its stored xattrs (spec 20 §3.3 to §3.6, §6), counted in `table`. */
export function* assignXattrs(inodes: readonly ImageInode[], table: XattrTable, options: ErofsOptions): Steps<void> {
  const assigner = new Assigner(table, options);
  const [root] = inodes;
  for (const inode of inodes) {
    yield;
    const entries = assigner.entries(inode, inode === root);
    if (entries.length > 0) inode.xattrs = entries;
    for (const entry of entries) entry.users++;
  }
}

class Assigner {
  readonly #table: XattrTable;
  readonly #options: ErofsOptions;
  readonly #isEpoch1: boolean;
  readonly #metacopy: StoredName;
  readonly #redirect: StoredName;
  /** Those of the tree, for the xattrs that many inodes share. */
  readonly #treeEntries = new Map<Xattrs, readonly XattrEntry[]>();

  constructor(table: XattrTable, options: ErofsOptions) {
    this.#table = table;
    this.#options = options;
    this.#isEpoch1 = formatEpoch(options.version) === 1;
    this.#metacopy = table.internalName(OVERLAY_METACOPY, metacopyValue(options.algorithm));
    this.#redirect = table.internalName(OVERLAY_REDIRECT, REDIRECT_VALUE);
  }

  /** V2: overlay xattrs first, then the tree's in order of their unescaped names. V0 and V1: by stored name. */
  entries(inode: ImageInode, isRoot: boolean): readonly XattrEntry[] {
    const { content, stat } = inode;
    const own = content?.type === 'regular' ? this.#ofFile(content.file) : NONE;
    const tree = stat.xattrs.size > 0 ? this.#ofTree(stat.xattrs) : NONE;
    const isMarked = this.#isEpoch1 && (isRoot || inode.hasWhiteouts || inode.role === 'escaped-whiteout');
    if (own.length === 0 && !isMarked) return tree;
    const entries = [...own, ...tree];
    if (isMarked) this.#addMarkers(entries, inode, isRoot);
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

  #ofFile(file: RegularFile): readonly XattrEntry[] {
    if (file.storage === 'inline') return NONE;
    // C makes a plain empty file of it, composefs-rs a chunk-based one (spec 20 §16.8).
    if (file.size === 0 && this.#options.dialect === 'mkcomposefs') return NONE;
    const metacopy = this.#table.entry(this.#metacopy, file.storage === 'external' ? this.#checked(file.id) : '');
    const redirect = this.#redirectKey(file);
    return redirect === undefined ? [metacopy] : [metacopy, this.#table.entry(this.#redirect, redirect)];
  }

  #checked(id: ObjectId): ObjectId {
    const { algorithm } = this.#options;
    if (id.length === 2 * digestSize(algorithm)) return id;
    throw new InvalidTreeError('digest', `object id ${id} is not a ${algorithm} digest`);
  }

  /** The object: by its digest; by path where the dumpfile says something else, and the image is C's (spec 20 §16.9). */
  #redirectKey(file: Exclude<RegularFile, { storage: 'inline' }>): string | undefined {
    if (file.storage === 'sparse') return undefined;
    const { payload } = file;
    const { algorithm, dialect } = this.#options;
    if (file.storage === 'external' && (payload === undefined || dialect !== 'mkcomposefs')) return file.id;
    if (payload === undefined || payload === '') return undefined;
    if (dialect !== 'mkcomposefs') {
      return withContext('invalid object pathname', () => objectIdFromPathname(algorithm, payload));
    }
    const isObjectPath = payload.length === 2 * digestSize(algorithm) + 1 && /^[0-9a-f]{2}\/[0-9a-f]+$/.test(payload);
    return isObjectPath ? payload.slice(0, 2) + payload.slice(3) : `/${payload}`;
  }

  #addMarkers(entries: XattrEntry[], inode: ImageInode, isRoot: boolean): void {
    if (inode.role === 'escaped-whiteout') {
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
    if (isRoot) this.#set(entries, OVERLAY_OPAQUE, OPAQUE);
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
