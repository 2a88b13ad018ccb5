import { ComposefsError } from '../../../errors.js';
import type { Steps } from '../../../threads/turns.js';
import { ReadBudget } from './budget.js';
import { EntryCursor } from './directory-block.js';
import type { ErofsImage } from './image.js';
import type { ErofsInode } from './inode.js';

export interface WalkVisitor {
  /** Every reachable inode once. */
  inode?(inode: ErofsInode): void;
  /** Every entry of every directory but `.` and `..`, whether or not its inode was met before; valid during the call. */
  entry?(entry: EntryCursor, isInRoot: boolean): void;
}

export interface WalkOptions {
  /** Passes over inodes, blocks and entries that cannot be read, instead of failing. */
  readonly isTolerant: boolean;
}

const INODES_A_STEP = 64;

/** Visits the inodes that the root leads to, each once. Work is bounded whatever the image says. */
export function* walkInodeSteps(image: ErofsImage, visitor: WalkVisitor, { isTolerant }: WalkOptions): Steps<void> {
  const budget = new ReadBudget(image.length);
  const { rootNid } = image.superblock;
  /** By nid, 1 of inodes that were met. A larger nid leads nowhere. */
  const seen = new Uint8Array(image.nidLimit);
  seen[rootNid] = 1;
  const pending = [rootNid];
  let count = 0;
  for (let nid = pending.pop(); nid !== undefined; nid = pending.pop()) {
    if (++count % INODES_A_STEP === 0) yield;
    const inode = isTolerant ? readIfPossible(image, nid) : image.inode(nid);
    if (inode === undefined) continue;
    budget.charge(inode.extent);
    visitor.inode?.(inode);
    if (!inode.isDirectory) continue;
    for (const part of directoryPartsWithin(image, inode, budget, isTolerant)) {
      // A block has some hundred entries, and an inode has any number of blocks.
      if (part.length === image.blockSize) yield;
      const entries = openPart(part, isTolerant);
      while (entries !== undefined && goOn(entries, isTolerant)) {
        if (entries.isDots) continue;
        visitor.entry?.(entries, nid === rootNid);
        const { nid: child } = entries;
        if (seen[child] === 1) continue;
        seen[child] = 1;
        pending.push(child);
      }
    }
  }
}

function* directoryPartsWithin(
  image: ErofsImage,
  directory: ErofsInode,
  budget: ReadBudget,
  isTolerant: boolean,
): Generator<Buffer> {
  const attempt = <T>(action: () => T): T | undefined => (isTolerant ? quietly(action) : action());
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

function readIfPossible(image: ErofsImage, nid: number): ErofsInode | undefined {
  return quietly(() => image.inode(nid));
}

function openPart(part: Buffer, isTolerant: boolean): EntryCursor | undefined {
  return isTolerant ? quietly(() => new EntryCursor(part)) : new EntryCursor(part);
}

/** What comes after an entry that cannot be read is not known. */
function goOn(entries: EntryCursor, isTolerant: boolean): boolean {
  return isTolerant ? quietly(() => entries.next()) === true : entries.next();
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
