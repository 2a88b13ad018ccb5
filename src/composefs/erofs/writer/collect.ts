import type { ByteString } from '../../../bytes/byte-string.js';
import type { Steps } from '../../../threads/turns.js';
import { type Child, type Directory, isWhiteout, Leaf } from '../../tree/inode.js';
import { OriginLeaf } from '../../tree/origin-leaf.js';
import { formatEpoch } from '../format/constants.js';
import { type ImageDirectory, ImageInodes, ROLE, type Role } from './image-inodes.js';
import type { ErofsDialect, ErofsOptions } from './options.js';
import { looksLikeStub, makeStubs } from './stubs.js';

/** What is done before others get their turn. */
const ENTRIES_A_STEP = 16;

/**
 * The inodes of a tree, depth first: each directory before its children, these in byte order, a subtree before the
 * next sibling, each leaf where it is first met. The tree is not changed: stubs exist in the result only.
 *
 * @param entries how many all directories of the tree have.
 */
export function* collectDepthFirst(root: Directory, entries: number, options: ErofsOptions): Steps<ImageInodes> {
  const stubs = formatEpoch(options.version) === 1 ? makeStubs(root) : undefined;
  const inodes = new ImageInodes(root, entries + (stubs?.size ?? 0));
  const collector = new Collector(root, stubs, inodes, options.dialect);
  for (let count = 1; collector.step(); count++) if (count % ENTRIES_A_STEP === 0) yield;
  return inodes;
}

interface Frame {
  readonly directory: ImageDirectory;
  next: number;
}

class Collector {
  readonly inodes: ImageInodes;
  readonly #root: Directory;
  /** Undefined in formats without them, which escape no whiteouts either. */
  readonly #stubs: ReadonlyMap<ByteString, Leaf> | undefined;
  readonly #dialect: ErofsDialect | undefined;
  readonly #leaves = new Map<Leaf, number>();
  readonly #stack: Frame[] = [];
  #entries = 0;

  constructor(
    root: Directory,
    stubs: ReadonlyMap<ByteString, Leaf> | undefined,
    inodes: ImageInodes,
    dialect: ErofsDialect | undefined,
  ) {
    this.inodes = inodes;
    this.#root = root;
    this.#stubs = stubs;
    this.#dialect = dialect;
    this.#enter(root, 0);
  }

  /** Takes one more entry. False: there is none any more. */
  step(): boolean {
    const frame = this.#stack.at(-1);
    if (frame === undefined) return false;
    const { directory } = frame;
    const child = directory.children[frame.next];
    const name = directory.names[frame.next];
    if (child === undefined || name === undefined) {
      this.#stack.pop();
      return true;
    }
    this.inodes.targets[directory.start + frame.next++] = this.#target(directory, name, child);
    return true;
  }

  #target(directory: ImageDirectory, name: ByteString, child: Child): number {
    if (typeof child === 'number') return this.#row(directory, name, child);
    if (child instanceof Leaf) return this.#leaf(directory, name, child);
    this.inodes.addLink(directory.index);
    return this.#enter(child, directory.index);
  }

  #enter(source: Directory, parentIndex: number): number {
    const index = this.inodes.count;
    const list = source === this.#root ? this.#rootList() : source.list();
    const directory = { source, index, parentIndex, ...list, start: this.#entries, hasWhiteouts: false };
    this.#entries += list.names.length;
    this.inodes.addDirectory(directory);
    this.#stack.push({ directory, next: 0 });
    return index;
  }

  #rootList(): ReturnType<Directory['list']> {
    const list = this.#root.list();
    if (this.#stubs === undefined || this.#stubs.size === 0) return list;
    const all = new Map<ByteString, Child>(this.#stubs);
    for (const [index, name] of list.names.entries()) {
      const child = list.children[index];
      if (child !== undefined) all.set(name, child);
    }
    const inOrder = [...all].sort(([one], [other]) => (one < other ? -1 : 1));
    return { names: inOrder.map(([name]) => name), children: inOrder.map(([, child]) => child), leaves: list.leaves };
  }

  #row(directory: ImageDirectory, name: ByteString, row: number): number {
    const { leaves } = directory;
    const isOverlayWhiteout = this.#stubs !== undefined && leaves.isWhiteout(row);
    const role = isOverlayWhiteout
      ? this.#roleOfWhiteout(directory, name, new Leaf(leaves.stat(row), leaves.content(row)))
      : ROLE.PLAIN;
    const index = this.inodes.addRow(directory, row, role);
    this.inodes.setLinks(index, 1);
    if (role === ROLE.ESCAPED_WHITEOUT) directory.hasWhiteouts = true;
    return index;
  }

  #leaf(directory: ImageDirectory, name: ByteString, leaf: Leaf): number {
    let index = this.#leaves.get(leaf);
    if (index === undefined) {
      index = this.inodes.addLeaf(directory, leaf, this.#role(directory, name, leaf));
      this.#leaves.set(leaf, index);
    }
    if (this.#dialect !== 'mkcomposefs' || !(leaf instanceof OriginLeaf)) {
      this.inodes.addLink(index);
    } else {
      this.inodes.setLinks(index, leaf.nlink);
      // C numbers the inode at the line that defines it, whatever the order of the paths.
      if (leaf.directory === directory.source && leaf.name === name) this.inodes.setHome(index, directory, name);
    }
    if (this.inodes.role(index) === ROLE.ESCAPED_WHITEOUT) directory.hasWhiteouts = true;
    return index;
  }

  #role(directory: ImageDirectory, name: ByteString, leaf: Leaf): Role {
    if (this.#stubs === undefined) return ROLE.PLAIN;
    if (this.#stubs.get(name) === leaf) return ROLE.STUB;
    return isWhiteout(leaf.content) ? this.#roleOfWhiteout(directory, name, leaf) : ROLE.PLAIN;
  }

  #roleOfWhiteout(directory: ImageDirectory, name: ByteString, leaf: Leaf): Role {
    const isAmbiguous = this.#dialect !== 'mkcomposefs' && directory.source === this.#root;
    return isAmbiguous && looksLikeStub(this.#root, name, leaf) ? ROLE.STUB : ROLE.ESCAPED_WHITEOUT;
  }
}

/**
 * Puts the inodes into the order of V0 and V1 (spec 20 §3.2): level by level. A leaf with several links has its turn in the
 * directory that holds it first in depth-first order, which can be levels below another link.
 */
export function* orderBreadthFirst(inodes: ImageInodes): Steps<void> {
  const order = new Uint32Array(inodes.count);
  const numbers = new Int32Array(inodes.count).fill(-1);
  numbers[0] = 0;
  let count = 1;
  for (let next = 0; next < count; next++) {
    if (next % ENTRIES_A_STEP === 0) yield;
    const directory = inodes.directory(order[next] ?? 0);
    if (directory === undefined) continue;
    for (const [place, name] of directory.names.entries()) {
      const child = inodes.targets[directory.start + place] ?? 0;
      if (numbers[child] !== -1 || !inodes.isHome(child, directory, name)) continue;
      numbers[child] = count;
      order[count++] = child;
    }
  }
  inodes.setOrder(order.subarray(0, count), numbers);
}
