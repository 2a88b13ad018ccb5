import type { ByteString } from '../../../bytes/byte-string.js';
import type { Child, Directory, Leaf } from '../../tree/inode.js';
import { LeafTable } from '../../tree/leaf-table.js';
import { LAYOUT_FLAT_PLAIN, SLOT_SIZE } from '../format/constants.js';
import { type OrderedEntries, withDots } from './directory-layout.js';
import { direntTypeOf, ImageInode, INODE_KIND, type InodeKind, typeBitsOf } from './image-inode.js';
import { InvalidTreeError } from './invalid-tree-error.js';

/** What an inode becomes in the image: overlay whiteouts are escaped, stubs are not (spec 20 §3.1, §3.5). */
export const ROLE = { PLAIN: 0, STUB: 1, ESCAPED_WHITEOUT: 2 } as const;
export type Role = (typeof ROLE)[keyof typeof ROLE];

/** A directory on its way into an image. */
export interface ImageDirectory {
  readonly source: Directory;
  /** Of its own inode. */
  readonly index: number;
  /** The root is its own parent. */
  readonly parentIndex: number;
  /** Without `.` and `..`. */
  readonly names: readonly ByteString[];
  readonly children: readonly Child[];
  readonly leaves: LeafTable;
  /** Where the inodes that its entries lead to begin in {@link ImageInodes.targets}. */
  readonly start: number;
  hasWhiteouts: boolean;
}

/** Where leaves are that are no rows of the tree's own table. */
const EXTRA = 1;

/**
 * The inodes of an image in columns, by an index that goes by the depth-first order: an image may have millions of them.
 * One at a time is an object, see {@link ImageInodes.read}.
 */
export class ImageInodes {
  readonly directories: ImageDirectory[] = [];
  /** The index of the inode that each entry of each directory leads to. */
  readonly targets: Uint32Array;

  /** The leaves of most directories. */
  readonly #leaves: LeafTable;
  /** Leaves that are objects, and those of other tables. */
  readonly #extra = new LeafTable();
  /** Of a leaf twice its row, and whether it is one of the extra ones; of a directory `~` of its place among these. */
  readonly #sources: Int32Array;
  readonly #links: Uint32Array;
  readonly #roles: Uint8Array;
  readonly #objects: Int32Array;
  readonly #slots: Uint32Array;
  /** V0 and V1: the index of the directory at whose turn the inode is numbered, and if set the only name there. */
  readonly #homes: Uint32Array;
  readonly #homeNames = new Map<number, ByteString>();
  /** V0 and V1: the indexes in the order of the image, and the place of each in it. */
  #order: Uint32Array | undefined;
  #numbers: Int32Array | undefined;
  readonly #inode: ImageInode;
  #count = 0;

  /** @param root of the tree. @param entries of all directories, without `.` and `..`. */
  constructor(root: Directory, entries: number) {
    this.#leaves = root.list().leaves;
    this.targets = new Uint32Array(entries);
    const inodes = entries + 1;
    this.#sources = new Int32Array(inodes);
    this.#links = new Uint32Array(inodes);
    this.#roles = new Uint8Array(inodes);
    this.#objects = new Int32Array(inodes).fill(-1);
    this.#slots = new Uint32Array(inodes);
    this.#homes = new Uint32Array(inodes);
    this.#inode = new ImageInode(this.#leaves);
  }

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** The index of the inode at a place in the order of the image. */
  at(place: number): number {
    return this.#order === undefined ? place : (this.#order[place] ?? 0);
  }

  /** V0 and V1: the place of an inode in the order of the image. */
  number(index: number): number {
    return this.#numbers?.[index] ?? index;
  }

  /** @param order the indexes in the order of the image. @param numbers the place of each index in it. */
  setOrder(order: Uint32Array, numbers: Int32Array): void {
    this.#order = order;
    this.#numbers = numbers;
    this.#count = order.length;
  }

  /** Whether an inode is numbered where a name in a directory leads to it. */
  isHome(index: number, directory: ImageDirectory, name: ByteString): boolean {
    if (this.directory(index) !== undefined) return true;
    return this.#homes[index] === directory.index && (this.#homeNames.get(index) ?? name) === name;
  }

  /** The only place where a leaf is numbered, instead of that where it was first met. */
  setHome(index: number, directory: ImageDirectory, name: ByteString): void {
    this.#homes[index] = directory.index;
    this.#homeNames.set(index, name);
  }

  addDirectory(directory: ImageDirectory): void {
    const index = this.#add(~this.directories.length, ROLE.PLAIN, directory.parentIndex);
    this.directories.push(directory);
    this.#links[index] = 2;
  }

  /** The index of a leaf that is a row of the directory's table. */
  addRow(directory: ImageDirectory, row: number, role: Role): number {
    const { leaves } = directory;
    if (leaves === this.#leaves) return this.#add(row * 2, role, directory.index);
    return this.addLeaf(directory, { stat: leaves.stat(row), content: leaves.content(row) }, role);
  }

  /** The index of a leaf that is an object, first met in a directory. */
  addLeaf(directory: ImageDirectory, { stat, content }: Leaf, role: Role): number {
    const copy = this.#extra.add({ ...stat, mode: stat.mode & 0o7777 }, content);
    if (copy !== undefined) return this.#add(copy * 2 + EXTRA, role, directory.index);
    const id = content.type === 'regular' && content.file.storage === 'external' ? content.file.id : '';
    throw new InvalidTreeError('digest', `object id ${id} is not a digest`);
  }

  /** Undefined for a leaf. */
  directory(index: number): ImageDirectory | undefined {
    const source = this.#sources[index] ?? 0;
    return source < 0 ? this.directories[~source] : undefined;
  }

  /** The entries of the directory of an index. */
  entriesOf(directoryIndex: number): OrderedEntries {
    const directory = this.directory(directoryIndex);
    if (directory === undefined) throw new Error(`inode ${directoryIndex} is no directory`);
    const { index, parentIndex, names, start } = directory;
    const targets = Array.from(this.targets.subarray(start, start + names.length));
    return withDots({ names, targets }, index, parentIndex);
  }

  role(index: number): Role {
    return (this.#roles[index] ?? 0) as Role;
  }

  addLink(index: number): void {
    this.#links[index] = (this.#links[index] ?? 0) + 1;
  }

  setLinks(index: number, links: number): void {
    this.#links[index] = links;
  }

  setObject(index: number, object: number): void {
    this.#objects[index] = object;
  }

  /** The slot of an inode in the image. */
  nid(index: number): number {
    return this.#slots[index] ?? 0;
  }

  /** Where the inode begins in the image, in bytes. */
  position(index: number): number {
    return this.nid(index) * SLOT_SIZE;
  }

  setPosition(index: number, position: number): void {
    this.#slots[index] = position / SLOT_SIZE;
  }

  direntType(index: number): number {
    return direntTypeOf(this.#kind(index));
  }

  /** An inode as the tree has it, without a layout. It is the same object each time, and valid until the next call. */
  read(index: number): ImageInode {
    const inode = this.#inode;
    const kind = this.#kind(index);
    const directory = this.directory(index);
    inode.index = index;
    inode.kind = kind;
    inode.nlink = this.#links[index] ?? 0;
    inode.object = this.#objects[index] ?? -1;
    inode.isRoot = index === 0;
    inode.hasWhiteouts = directory?.hasWhiteouts === true;
    if (directory === undefined) {
      const leaves = this.#tableOf(index);
      const row = this.#rowOf(index);
      inode.leaves = leaves;
      inode.row = row;
      inode.mode = typeBitsOf(kind) | (leaves.mode(row) & 0o7777);
      inode.uid = leaves.uid(row);
      inode.gid = leaves.gid(row);
      inode.mtimeSec = leaves.mtimeSec(row);
      inode.mtimeNsec = leaves.mtimeNsec(row);
      inode.treeXattrs = leaves.xattrs(row);
      inode.contentSize = kind === INODE_KIND.SYMLINK ? leaves.dataLength(row) : leaves.size(row);
    } else {
      const { stat } = directory.source;
      inode.mode = typeBitsOf(kind) | (stat.mode & 0o7777);
      inode.uid = stat.uid;
      inode.gid = stat.gid;
      inode.mtimeSec = stat.mtimeSec;
      inode.mtimeNsec = stat.mtimeNsec;
      inode.treeXattrs = stat.xattrs;
      inode.contentSize = 0;
    }
    inode.isCompact = false;
    inode.layout = LAYOUT_FLAT_PLAIN;
    inode.size = 0;
    inode.tailSize = 0;
    inode.blockCount = 0;
    inode.isPromoted = false;
    inode.u = 0;
    inode.groups = undefined;
    return inode;
  }

  #add(source: number, role: Role, home: number): number {
    const index = this.#count++;
    this.#sources[index] = source;
    this.#roles[index] = role;
    this.#homes[index] = home;
    return index;
  }

  #kind(index: number): InodeKind {
    if ((this.#sources[index] ?? 0) < 0) return INODE_KIND.DIRECTORY;
    if (this.#roles[index] === ROLE.ESCAPED_WHITEOUT) return INODE_KIND.ESCAPED_WHITEOUT;
    return this.#tableOf(index).kind(this.#rowOf(index));
  }

  #tableOf(index: number): LeafTable {
    return ((this.#sources[index] ?? 0) & EXTRA) === 0 ? this.#leaves : this.#extra;
  }

  #rowOf(index: number): number {
    return (this.#sources[index] ?? 0) >> 1;
  }
}
