import { decodeUint64 } from '../../../bytes/int64.js';
import { LAYOUT_FLAT_INLINE } from '../format/constants.js';
import { DIRENT_FILE_TYPE, DIRENT_NAME_OFFSET, DIRENT_SIZE } from '../format/dirent.js';
import { countEntries } from './directory-block.js';
import { invalidImage, outOfBounds } from './errors.js';
import type { ErofsImage } from './image.js';
import type { ErofsInode } from './inode.js';

/** An entry where it lies in the image. */
export interface StoredEntry {
  /** A view. */
  readonly name: Buffer;
  readonly nid: number;
  /** As stored: 1 to 7 (spec 20 §1.6). */
  readonly fileType: number;
  /** The position after it, for {@link DirectoryView.entriesFrom}. */
  readonly next: number;
}

/**
 * A directory as the kernel reads it: nothing is copied, and nothing kept between two requests, so that neither a large
 * directory nor a hostile one costs memory.
 *
 * Names are sorted over the whole directory; a position is the block's number times its size, plus the offset of the
 * entry in the block.
 */
export class DirectoryView {
  readonly #image: ErofsImage;
  readonly #start: number;
  readonly #blocks: number;
  readonly #tail: Buffer | undefined;

  /** @throws ErofsReaderError */
  constructor(image: ErofsImage, inode: ErofsInode) {
    const { start, end } = image.inodeBlocks(inode);
    this.#image = image;
    this.#start = start;
    this.#blocks = end - start;
    this.#tail = inode.layout === LAYOUT_FLAT_INLINE ? inode.inline() : undefined;
  }

  /** The nid of a name by binary search, first for the block, then in it. @throws ErofsReaderError */
  find(name: Uint8Array): number | undefined {
    let low = 0;
    let high = this.#parts;
    // The last block whose first name is not after `name`.
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (compareName(this.#part(middle), 0, name) <= 0) low = middle;
      else high = middle;
    }
    return this.#parts === 0 ? undefined : findInPart(this.#part(low), name);
  }

  /** Entries in stored order. @throws ErofsReaderError at the first bad one. */
  *entriesFrom(position: number): Generator<StoredEntry> {
    const { blockSize } = this.#image;
    let index = Math.floor((position % blockSize) / DIRENT_SIZE);
    for (let number = Math.floor(position / blockSize); number < this.#parts; number++, index = 0) {
      const part = this.#part(number);
      const count = countEntries(part);
      for (; index < count; index++) {
        const header = DIRENT_SIZE * index;
        const [start, end] = nameRange(part, index, count);
        yield {
          name: part.subarray(start, end),
          nid: decodeUint64(part, header),
          fileType: part.readUInt8(header + DIRENT_FILE_TYPE),
          next: index + 1 < count ? number * blockSize + header + DIRENT_SIZE : (number + 1) * blockSize,
        };
      }
    }
  }

  get #parts(): number {
    return this.#blocks + (this.#tail === undefined ? 0 : 1);
  }

  #part(number: number): Buffer {
    return number === this.#blocks && this.#tail !== undefined ? this.#tail : this.#image.block(this.#start + number);
  }
}

function findInPart(part: Buffer, name: Uint8Array): number | undefined {
  let low = 0;
  let high = countEntries(part);
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compareName(part, middle, name);
    if (order === 0) return decodeUint64(part, DIRENT_SIZE * middle);
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return undefined;
}

function compareName(part: Buffer, index: number, name: Uint8Array): number {
  const [start, end] = nameRange(part, index, countEntries(part));
  return part.compare(name, 0, name.length, start, end);
}

/** A name ends where the next begins, the last one at the first NUL or the end. */
function nameRange(part: Buffer, index: number, count: number): readonly [start: number, end: number] {
  const header = DIRENT_SIZE * index;
  if (count * DIRENT_SIZE > part.length) throw outOfBounds();
  const start = part.readUInt16LE(header + DIRENT_NAME_OFFSET);
  if (start > part.length) throw outOfBounds();
  let end: number;
  if (index + 1 < count) {
    end = part.readUInt16LE(header + DIRENT_SIZE + DIRENT_NAME_OFFSET);
  } else {
    end = part.indexOf(0, start);
    if (end < 0) end = part.length;
  }
  if (start >= end || end > part.length) throw invalidImage('invalid directory entry name_offset');
  return [start, end];
}
