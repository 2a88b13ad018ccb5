import type { ByteRegion } from '../../../bytes/byte-region.js';
import { type ByteString, concatBytes } from '../../../bytes/byte-string.js';
import { roundUp } from '../../../bytes/integer.js';
import { XATTR_ENTRY_HEADER_SIZE, XATTR_INDEX_TRUSTED, XATTR_PREFIXES } from '../format/xattr-area.js';
import { invalidImage, outOfBounds } from './errors.js';

/** One xattr entry in an image, local or shared (spec 20 §1.5, §9.4). */
export class Xattr {
  readonly #bytes: Buffer;
  /** Offset of the entry in the image. */
  readonly offset: number;
  readonly nameLength: number;
  readonly index: number;
  readonly valueSize: number;

  /**
   * The entry at `offset`.
   *
   * @throws ErofsReaderError `out-of-bounds` if it does not end by `limit`.
   */
  constructor({ bytes, view }: ByteRegion, offset: number, limit: number) {
    if (offset + XATTR_ENTRY_HEADER_SIZE > limit) throw outOfBounds();
    this.#bytes = bytes;
    this.offset = offset;
    this.nameLength = view.getUint8(offset);
    this.index = view.getUint8(offset + 1);
    this.valueSize = view.getUint16(offset + 2, true);
    if (this.end > limit) throw outOfBounds();
  }

  get #suffixStart(): number {
    return this.offset + XATTR_ENTRY_HEADER_SIZE;
  }

  /** Offset of the value in the image. */
  get valueStart(): number {
    return this.#suffixStart + this.nameLength;
  }

  /** Offset of what follows. */
  get end(): number {
    return this.#suffixStart + roundUp(this.nameLength + this.valueSize, 4);
  }

  get suffix(): ByteString {
    return this.#bytes.toString('latin1', this.#suffixStart, this.valueStart) as ByteString;
  }

  /** The full name. @throws ErofsReaderError if the prefix number is unknown. */
  get name(): ByteString {
    const prefix = XATTR_PREFIXES[this.index];
    if (prefix === undefined) throw invalidImage(`xattr name_index ${this.index} out of range`);
    return concatBytes(prefix, this.suffix);
  }

  /** A view, not a copy. */
  get value(): Buffer {
    return this.#bytes.subarray(this.valueStart, this.valueStart + this.valueSize);
  }

  get valueBytes(): ByteString {
    return this.#bytes.toString('latin1', this.valueStart, this.valueStart + this.valueSize) as ByteString;
  }

  get padding(): Buffer {
    return this.#bytes.subarray(this.valueStart + this.valueSize, this.end);
  }

  /** Whether the name is `trusted.` with this ASCII suffix: asked for every xattr, so without making a string. */
  isTrusted(suffix: string): boolean {
    if (this.index !== XATTR_INDEX_TRUSTED || this.nameLength !== suffix.length) return false;
    const start = this.#suffixStart;
    for (let i = 0; i < suffix.length; i++) if (this.#bytes[start + i] !== suffix.charCodeAt(i)) return false;
    return true;
  }
}
