import type { ByteString } from '../../bytes/byte-string.js';
import { type FileStatus, IDENTITY_WORDS } from '../../linux/file-status.js';
import type { ObjectId } from '../fsverity/object-id.js';
import { Leaf, type LeafContent } from '../tree/inode.js';
import type { Stat, Xattrs } from '../tree/stat.js';
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

/** Where a scan has found a leaf first. */
export class FoundLeaf {
  protected readonly place: ScanPlace;
  protected readonly name: ByteString;

  constructor(place: ScanPlace, name: ByteString) {
    this.place = place;
    this.name = name;
  }

  /** Makes it a leaf of the tree. */
  insert(stat: Stat, content: LeafContent): void {
    this.place.directory.insertLeaf(this.name, stat, content);
  }

  /** The leaf as an object, for what has more names, or asks for it. */
  get leaf(): Leaf {
    const leaf = this.place.directory.lookup(this.name);
    if (leaf instanceof Leaf) return leaf;
    throw new Error('a leaf of a scan is gone');
  }
}

/** A large file in a tree whose content somebody else is to read. Until then it is sparse. */
export class PendingFile extends FoundLeaf {
  /** Bytes. */
  readonly size: number;
  readonly #identities: Uint32Array;
  readonly #identityAt: number;

  /** @param identities has {@link FileStatus.copyIdentity what it was} when it was found, from `identityAt` on. */
  constructor(place: ScanPlace, name: ByteString, size: number, identities: Uint32Array, identityAt: number) {
    super(place, name);
    this.size = size;
    this.#identities = identities;
    this.#identityAt = identityAt;
  }

  static isPossible(place: ScanPlace, name: ByteString): boolean {
    return place.path.length + name.length < PATH_LENGTH_MAX;
  }

  /** Absolute, or from the working directory. */
  get path(): ByteString {
    return joinPath(this.place.path, this.name);
  }

  /** What it was when it was found: it must not be another file when its content is read. */
  get identity(): Uint32Array {
    return this.#identities.subarray(this.#identityAt, this.#identityAt + IDENTITY_WORDS);
  }

  /** Whether it still is that inode, whatever its content is by now. */
  isSameInode(status: FileStatus): boolean {
    return status.isSameInode(this.#identities, this.#identityAt);
  }

  /**
   * Gives the tree the object of the content.
   *
   * @param xattrs if they were left for later, too, and there are any.
   */
  resolve(id: ObjectId, xattrs: Xattrs | undefined): void {
    const { directory } = this.place;
    const stat = xattrs && { ...directory.leafStat(this.name), xattrs };
    directory.updateLeaf(this.name, { type: 'regular', file: { storage: 'external', id, size: this.size } }, stat);
  }

  /** Gives the tree what the file is by now. */
  replace(stat: Stat, content: LeafContent): void {
    this.place.directory.updateLeaf(this.name, content, stat);
  }

  /** The error of the whole scan, if the content cannot be had. */
  failure(cause: unknown): ScanError {
    const error = cause instanceof FileContentError ? cause : contentError(cause);
    return scanError(this.place, this.name, leafError(this.name, error));
  }
}
