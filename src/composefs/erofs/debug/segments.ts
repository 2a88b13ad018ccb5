import { type ByteString, byteStringFromText, concatBytes } from '../../../bytes/byte-string.js';
import { COMPOSEFS_HEADER_SIZE, SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE } from '../format/constants.js';
import { ReadBudget } from '../reader/budget.js';
import { directoryEntries } from '../reader/directory-block.js';
import { invalidImage } from '../reader/errors.js';
import type { ErofsImage } from '../reader/image.js';
import type { ErofsInode } from '../reader/inode.js';
import type { Xattr } from '../reader/xattr.js';

/** EROFS has no smaller blocks: smaller ones, which only `open` accepts, must not become millions of segments. */
const BLOCK_SIZE_MIN = 512;

/** A path as a chain: in deep trees the texts of all paths would be far larger than the image. */
export interface PathNode {
  readonly parent: PathNode | undefined;
  readonly name: ByteString;
}

/** What lies at an offset. */
export type SegmentContent =
  | { readonly kind: 'header' }
  | { readonly kind: 'superblock' }
  | { readonly kind: 'compact inode'; readonly inode: ErofsInode }
  | { readonly kind: 'extended inode'; readonly inode: ErofsInode }
  | { readonly kind: 'shared xattr'; readonly xattr: Xattr }
  | { readonly kind: 'data block' }
  | { readonly kind: 'directory block' };

export type SegmentKind = SegmentContent['kind'];

export interface Segment {
  readonly offset: number;
  readonly size: number;
  readonly content: SegmentContent;
  /** The files that it belongs to, in the order in which they were met. */
  readonly paths: PathNode[];
}

/** In error messages a kind is shown by its place here. */
const KINDS: readonly SegmentKind[] = [
  'header',
  'superblock',
  'compact inode',
  'extended inode',
  'shared xattr',
  'data block',
  'directory block',
];

const ROOT: PathNode = { parent: undefined, name: byteStringFromText('/') };
const SLASH: ByteString = byteStringFromText('/');

export function pathText(path: PathNode): ByteString {
  const names: ByteString[] = [];
  let at = path;
  for (; at.parent !== undefined; at = at.parent) names.push(at.name);
  return names.length === 0 ? SLASH : concatBytes(SLASH, names.reverse().join('/') as ByteString);
}

/** Everything that the superblock leads to, by offset (spec 20 §13.1). @throws ErofsReaderError */
export function collectSegments(image: ErofsImage): Segment[] {
  const collector = new Collector(image);
  collector.note(0, COMPOSEFS_HEADER_SIZE, { kind: 'header' }, undefined);
  collector.note(SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE, { kind: 'superblock' }, undefined);
  collector.walk();
  return [...collector.segments.values()].sort((a, b) => a.offset - b.offset);
}

class Collector {
  readonly segments = new Map<number, Segment>();
  readonly #image: ErofsImage;
  readonly #budget: ReadBudget;
  readonly #pending: { readonly nid: number; readonly path: PathNode }[];

  constructor(image: ErofsImage) {
    this.#image = image;
    this.#budget = new ReadBudget(image.length);
    this.#pending = [{ nid: image.superblock.rootNid, path: ROOT }];
  }

  walk(): void {
    for (let next = this.#pending.pop(); next !== undefined; next = this.#pending.pop()) {
      this.#visit(next.nid, next.path);
    }
  }

  /** True if the segment is new. */
  note(offset: number, size: number, content: SegmentContent, path: PathNode | undefined): boolean {
    const existing = this.segments.get(offset);
    if (existing === undefined) {
      this.#budget.charge(size);
      this.segments.set(offset, { offset, size, content, paths: path === undefined ? [] : [path] });
      return true;
    }
    if (existing.content.kind !== content.kind || existing.size !== size) {
      const [before, after] = [KINDS.indexOf(existing.content.kind), KINDS.indexOf(content.kind)];
      throw invalidImage(
        `conflicting segments at offset 0x${offset.toString(16)}: ` +
          `existing Discriminant(${before}) vs new Discriminant(${after})`,
      );
    }
    if (path !== undefined) existing.paths.push(path);
    return false;
  }

  #visit(nid: number, path: PathNode): void {
    const inode = this.#image.inode(nid);
    const kind = inode.isExtended ? 'extended inode' : 'compact inode';
    if (!this.note(inode.offset, inode.extent, { kind, inode }, path)) return;
    for (const id of inode.sharedXattrIds()) {
      const xattr = this.#image.sharedXattr(id);
      this.note(xattr.offset, xattr.end - xattr.offset, { kind: 'shared xattr', xattr }, path);
    }
    const { start, end } = this.#image.inodeBlocks(inode);
    const { blockSize } = this.#image;
    const inline = inode.isDirectory ? inode.inline() : undefined;
    if (inline !== undefined) this.#pushChildren(inline, path);
    if (blockSize < BLOCK_SIZE_MIN) this.#budget.charge((end - start) * BLOCK_SIZE_MIN);
    for (let id = start; id < end; id++) {
      if (!inode.isDirectory) {
        this.note(id * blockSize, blockSize, { kind: 'data block' }, path);
      } else {
        this.#pushChildren(this.#image.block(id), path);
        // Entries of a block that several directories share are walked for each: once too often ends it.
        if (!this.note(id * blockSize, blockSize, { kind: 'directory block' }, path)) this.#budget.charge(blockSize);
      }
    }
  }

  #pushChildren(block: Buffer, path: PathNode): void {
    for (const { name, nid } of directoryEntries(block)) {
      if (name !== '.' && name !== '..') this.#pending.push({ nid, path: { parent: path, name } });
    }
  }
}
