import type { BigIntStats } from 'node:fs';
import type { ByteString } from '../../bytes/byte-string.js';
import { safeInteger } from '../../bytes/integer.js';
import type { ObjectId } from '../fsverity/object-id.js';
import { Leaf, type RegularFile } from '../tree/inode.js';
import type { Stat } from '../tree/stat.js';
import {
  contentError,
  FileContentError,
  joinPath,
  leafError,
  type ScanError,
  type ScanPlace,
  scanError,
} from './scan-error.js';

/** Longer paths can only be opened from a directory on the way. */
const PATH_LENGTH_MAX = 4000;

/**
 * A large file in a tree whose content somebody else is to read. `dev`, `ino`, `mtimeNs` and `size` are what the file was
 * when the tree was read: it must not be another one when its content is.
 */
export class PendingFile {
  readonly leaf: Leaf;
  readonly dev: bigint;
  readonly ino: bigint;
  readonly mtimeNs: bigint;
  /** Bytes. */
  readonly size: number;
  readonly #place: ScanPlace;
  readonly #name: ByteString;

  constructor(stat: Stat, { dev, ino, mtimeNs, size }: BigIntStats, place: ScanPlace, name: ByteString) {
    this.dev = dev;
    this.ino = ino;
    this.mtimeNs = mtimeNs;
    this.size = safeInteger(size, 'file size');
    this.leaf = new Leaf(stat, { type: 'regular', file: { storage: 'sparse', size: this.size } });
    this.#place = place;
    this.#name = name;
  }

  static isPossible(place: ScanPlace, name: ByteString): boolean {
    return place.path.length + name.length < PATH_LENGTH_MAX;
  }

  /** Absolute, or from the working directory. */
  get path(): ByteString {
    return joinPath(this.#place.path, this.#name);
  }

  /** Gives the tree the object of the content. */
  resolve(id: ObjectId): void {
    this.leaf.content = { type: 'regular', file: { storage: 'external', id, size: this.size } };
  }

  /** Gives the tree what the file is by now. */
  replace(stat: Stat, file: RegularFile): void {
    this.leaf.stat = stat;
    this.leaf.content = { type: 'regular', file };
  }

  /** The error of the whole scan, if the content cannot be had. */
  failure(cause: unknown): ScanError {
    const error = cause instanceof FileContentError ? cause : contentError(cause);
    return scanError(this.#place, this.#name, leafError(this.#name, error));
  }
}
