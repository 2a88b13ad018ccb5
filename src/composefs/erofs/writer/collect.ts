import type { ByteString } from '../../../bytes/byte-string.js';
import type { Steps } from '../../../threads/turns.js';
import { Directory, isWhiteout, type Leaf } from '../../tree/inode.js';
import { OriginLeaf } from '../../tree/origin-leaf.js';
import { DOT, DOT_DOT } from '../../tree/path.js';
import { formatEpoch } from '../format/constants.js';
import { ImageInode, type Role } from './image-inode.js';
import type { ErofsDialect, ErofsOptions } from './options.js';
import { looksLikeStub, makeStubs } from './stubs.js';

/**
 * The inodes of a tree, depth first: each directory before its children, these in byte order, a subtree before the
 * next sibling, each leaf where it is first met. The tree is not changed: stubs exist in the result only.
 */
export function* collectDepthFirst(root: Directory, options: ErofsOptions): Steps<ImageInode[]> {
  return yield* new Collector(root, options).run();
}

interface Frame {
  readonly inode: ImageInode;
  readonly source: Directory;
  readonly parent: ImageInode;
  readonly targets: ImageInode[];
}

class Collector {
  readonly #root: Directory;
  readonly #hasStubs: boolean;
  readonly #stubs: ReadonlyMap<ByteString, Leaf>;
  readonly #dialect: ErofsDialect | undefined;
  readonly #leaves = new Map<Leaf, ImageInode>();
  readonly #inodes: ImageInode[] = [];
  readonly #stack: Frame[] = [];

  constructor(root: Directory, options: ErofsOptions) {
    this.#root = root;
    this.#hasStubs = formatEpoch(options.version) === 1;
    this.#stubs = this.#hasStubs ? makeStubs(root) : new Map();
    this.#dialect = options.dialect;
  }

  *run(): Steps<ImageInode[]> {
    this.#enter(this.#root, undefined);
    for (let frame = this.#stack.at(-1); frame !== undefined; frame = this.#stack.at(-1)) {
      yield;
      const name = frame.inode.names[frame.targets.length];
      if (name === undefined) this.#stack.pop();
      else frame.targets.push(this.#target(frame, name));
    }
    return this.#inodes;
  }

  #enter(source: Directory, parent: ImageInode | undefined): ImageInode {
    const inode = new ImageInode(source, 'plain');
    const names = source === this.#root ? [...source.names(), ...this.#stubs.keys()].sort() : source.names();
    inode.names = withDots(names);
    this.#inodes.push(inode);
    const targets: ImageInode[] = [];
    inode.targets = targets;
    this.#stack.push({ inode, source, parent: parent ?? inode, targets });
    return inode;
  }

  #target({ source, inode, parent }: Frame, name: ByteString): ImageInode {
    if (name === DOT) return inode;
    if (name === DOT_DOT) return parent;
    const child = source.lookup(name);
    if (child instanceof Directory) {
      inode.nlink++;
      return this.#enter(child, inode);
    }
    const stub = child === undefined ? this.#stubs.get(name) : undefined;
    const leaf = child ?? stub;
    // names() lists only what lookup() finds, and the stubs.
    if (leaf === undefined) throw new Error(`directory lists a name that it does not hold: ${name}`);
    return this.#leaf(inode, name, leaf, stub !== undefined);
  }

  #leaf(directory: ImageInode, name: ByteString, leaf: Leaf, isStub: boolean): ImageInode {
    let inode = this.#leaves.get(leaf);
    if (inode === undefined) {
      inode = new ImageInode(leaf, isStub ? 'stub' : this.#role(directory, name, leaf));
      inode.home = directory;
      this.#leaves.set(leaf, inode);
      this.#inodes.push(inode);
    }
    if (this.#dialect !== 'mkcomposefs' || !(leaf instanceof OriginLeaf)) {
      inode.nlink++;
    } else {
      inode.nlink = leaf.nlink;
      // C numbers the inode at the line that defines it, whatever the order of the paths.
      if (leaf.directory === directory.source && leaf.name === name) {
        inode.home = directory;
        inode.homeName = name;
      }
    }
    if (inode.role === 'escaped-whiteout') directory.hasWhiteouts = true;
    return inode;
  }

  #role(directory: ImageInode, name: ByteString, leaf: Leaf): Role {
    if (!this.#hasStubs || !isWhiteout(leaf.content)) return 'plain';
    const isAmbiguous = this.#dialect !== 'mkcomposefs' && directory.source === this.#root;
    return isAmbiguous && looksLikeStub(this.#root, name, leaf) ? 'stub' : 'escaped-whiteout';
  }
}

/** Names that begin with a byte below 0x2e precede `.`, and some lie between `.` and `..`. */
function withDots(names: readonly ByteString[]): ByteString[] {
  const [first] = names;
  if (first === undefined || first > DOT_DOT) return [DOT, DOT_DOT, ...names];
  const dot = names.findIndex((name) => name > DOT);
  const dotDot = names.findIndex((name) => name > DOT_DOT);
  const result = [...names];
  // The later place first: it does not move the earlier one.
  result.splice(dotDot < 0 ? names.length : dotDot, 0, DOT_DOT);
  result.splice(dot < 0 ? names.length : dot, 0, DOT);
  return result;
}

/**
 * The inodes in the order of V0 and V1 (spec 20 §3.2): level by level. A leaf with several links has its turn in the
 * directory that holds it first in depth-first order, which can be levels below another link.
 */
export function* orderBreadthFirst(root: ImageInode): Steps<ImageInode[]> {
  const inodes = [root];
  root.number = 0;
  for (let next = 0; next < inodes.length; next++) {
    yield;
    const directory = inodes[next];
    if (directory === undefined || !(directory.source instanceof Directory)) continue;
    directory.targets.forEach((child, index) => {
      if (child.number >= 0) return;
      if (child.home !== undefined) {
        if (child.home !== directory) return;
        if (child.homeName !== undefined && child.homeName !== directory.names[index]) return;
      }
      child.number = inodes.push(child) - 1;
    });
  }
  return inodes;
}
