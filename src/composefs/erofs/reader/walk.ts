import type { ByteString } from '../../../bytes/byte-string.js';
import { ComposefsError } from '../../../errors.js';
import type { Steps } from '../../../threads/turns.js';
import { ReadBudget } from './budget.js';
import { directoryEntries } from './directory-block.js';
import type { ErofsImage } from './image.js';
import type { ErofsInode } from './inode.js';

export interface WalkedChild {
  readonly name: ByteString;
  readonly nid: number;
}

export interface WalkVisitor {
  /** Every reachable inode once. */
  inode?(inode: ErofsInode, isRoot: boolean): void;
  /** Every entry of every directory but `.` and `..`, whether or not its inode was met before. */
  entry?(child: WalkedChild, directory: ErofsInode, isRoot: boolean): void;
}

export interface WalkOptions {
  /** Passes over inodes, blocks and entries that cannot be read, instead of failing. */
  readonly isTolerant: boolean;
}

/** Visits the inodes that the root leads to, each once. Work is bounded whatever the image says. */
export function* walkInodeSteps(image: ErofsImage, visitor: WalkVisitor, { isTolerant }: WalkOptions): Steps<void> {
  const budget = new ReadBudget(image.length);
  const attempt = <T>(action: () => T): T | undefined => (isTolerant ? quietly(action) : action());
  const rootNid = image.superblock.rootNid;
  const seen = new Set([rootNid]);
  const pending = [rootNid];
  for (let nid = pending.pop(); nid !== undefined; nid = pending.pop()) {
    yield;
    const at = nid;
    const inode = attempt(() => image.inode(at));
    if (inode === undefined) continue;
    budget.charge(inode.extent);
    const isRoot = nid === rootNid;
    visitor.inode?.(inode, isRoot);
    if (!inode.isDirectory) continue;
    for (const part of directoryPartsWithin(image, inode, budget, attempt)) {
      yield;
      for (const child of childrenOf(part, isTolerant)) {
        visitor.entry?.(child, inode, isRoot);
        if (seen.has(child.nid)) continue;
        seen.add(child.nid);
        pending.push(child.nid);
      }
    }
  }
}

type Attempt = <T>(action: () => T) => T | undefined;

function* directoryPartsWithin(
  image: ErofsImage,
  directory: ErofsInode,
  budget: ReadBudget,
  attempt: Attempt,
): Generator<Buffer> {
  const blocks = attempt(() => image.inodeBlocks(directory));
  if (blocks !== undefined) {
    budget.charge((blocks.end - blocks.start) * image.blockSize);
    for (let id = blocks.start; id < blocks.end; id++) {
      const block = attempt(() => image.block(id));
      if (block !== undefined) yield block;
    }
  }
  const inline = directory.inline();
  if (inline !== undefined) yield inline;
}

function* childrenOf(part: Buffer, isTolerant: boolean): Generator<WalkedChild> {
  try {
    for (const entry of directoryEntries(part)) if (entry.name !== '.' && entry.name !== '..') yield entry;
  } catch (error) {
    // What comes after an entry that cannot be read is not known.
    if (!isTolerant || !(error instanceof ComposefsError)) throw error;
  }
}

/** The result, or undefined where the image is at fault. */
export function quietly<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof ComposefsError) return undefined;
    throw error;
  }
}
