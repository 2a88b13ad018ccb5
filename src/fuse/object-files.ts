import { hash } from 'node:crypto';
import { closeSync, constants, fstatSync } from 'node:fs';
import { decodeMetacopy } from '../composefs/erofs/format/metacopy.js';
import type { ErofsInode } from '../composefs/erofs/reader/inode.js';
import { METACOPY_SUFFIX, REDIRECT_SUFFIX } from '../composefs/erofs/reader/inode-xattrs.js';
import { HASH_ALGORITHMS, type HashAlgorithm } from '../composefs/fsverity/algorithm.js';
import { computeVerity, computeVerityOfFd } from '../composefs/fsverity/digest.js';
import { measureVerityOpt } from '../composefs/fsverity/kernel.js';
import type { ObjectId } from '../composefs/fsverity/object-id.js';
import { ComposefsError } from '../errors.js';
import { closeOnError, readInto } from '../fs/files.js';
import { openBeneath } from '../linux/open-beneath.js';
import type { ObjectTable } from './object-table.js';

/** A path of a FIFO must not block the server. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

/** Larger objects are not hashed while other requests wait: this is one or two milliseconds of hashing. */
export const INLINE_HASH_MAX: number = 1024 * 1024;

/** The digest that an object must have. */
export interface ExpectedDigest {
  readonly algorithm: HashAlgorithm;
  readonly id: ObjectId;
}

/** Where the content of a file is that is not in the image. */
export interface ExternalContent {
  /** Below `objects/`. */
  readonly path: Buffer;
  readonly size: number;
  /** Undefined if the image states none. */
  readonly digest: ExpectedDigest | undefined;
  /** In the {@link ObjectTable}. */
  readonly slot: number | undefined;
}

/** The data files of an image, in one directory. */
export class ObjectFiles {
  readonly #directoryFd: number;
  readonly #table: ObjectTable;
  readonly #verify: boolean;
  #scratch: Buffer | undefined;

  /**
   * @param directoryFd of `objects/`; `O_PATH` is enough.
   * @param verify an object must have the digest that the image states.
   */
  constructor(directoryFd: number, table: ObjectTable, verify: boolean) {
    this.#directoryFd = directoryFd;
    this.#table = table;
    this.#verify = verify;
  }

  /**
   * Where the content of a file is; undefined if it is in the image.
   *
   * @throws ErofsReaderError; ComposefsError `DAMAGED_OBJECT` for a path that leads out of the directory.
   */
  locate(inode: ErofsInode): ExternalContent | undefined {
    let redirect: Buffer | undefined;
    let metacopy: Buffer | undefined;
    for (const xattr of inode.xattrs()) {
      if (redirect === undefined && xattr.isTrusted(REDIRECT_SUFFIX)) redirect = xattr.value;
      else if (metacopy === undefined && xattr.isTrusted(METACOPY_SUFFIX)) metacopy = xattr.value;
    }
    if (redirect === undefined) return undefined;
    const path = objectPath(redirect);
    const digest = metacopy === undefined ? undefined : digestIn(metacopy);
    const key = hash('sha256', Buffer.concat([path, Buffer.from(`\0${digest?.id ?? ''}`)]), 'binary');
    return { path, size: inode.exactSize, digest, slot: this.#table.slotOf(Buffer.from(key, 'latin1')) };
  }

  /**
   * Opens an object, which is checked if nobody has done so before.
   *
   * @param hashMax bytes: a larger object is not hashed here.
   * @returns a descriptor that the caller closes; undefined if the object has to be hashed first, by `hash`.
   * @throws ComposefsError `DAMAGED_OBJECT`; errors of `open(2)`
   */
  open(content: ExternalContent, hashMax: number): number | undefined {
    const fd = this.openUnverified(content);
    let isGood = false;
    try {
      isGood = this.#isVerified(fd, content, hashMax);
      return isGood ? fd : undefined;
    } finally {
      if (!isGood) closeSync(fd);
    }
  }

  /** @throws ComposefsError `DAMAGED_OBJECT` if the size is wrong; errors of `open(2)` */
  openUnverified({ path, size }: ExternalContent): number {
    const fd = openBeneath(this.#directoryFd, path, OPEN_FLAGS);
    return closeOnError(fd, () => {
      const stat = fstatSync(fd);
      if (!stat.isFile() || stat.size !== size) throw damaged(path, 'its size is not that of the file');
      return fd;
    });
  }

  /** Ends the check of an object. @throws ComposefsError `DAMAGED_OBJECT` */
  conclude({ path, digest, slot }: ExternalContent, found: ObjectId): void {
    if (found !== digest?.id) throw damaged(path, `its digest is ${found}`);
    if (slot !== undefined) this.#table.setVerified(slot);
  }

  #isVerified(fd: number, content: ExternalContent, hashMax: number): boolean {
    const { path, size, digest, slot } = content;
    if (!this.#verify || (slot !== undefined && this.#table.isVerified(slot))) return true;
    if (digest === undefined) throw damaged(path, 'the image states no digest');
    const measured = measuredByKernel(fd, digest.algorithm);
    if (measured === undefined && size > hashMax) return false;
    this.conclude(content, measured ?? this.#hash(fd, size, digest.algorithm));
    return true;
  }

  /** Small objects are many: they share a buffer. */
  #hash(fd: number, size: number, algorithm: HashAlgorithm): ObjectId {
    if (size > INLINE_HASH_MAX) return computeVerityOfFd(algorithm, fd);
    this.#scratch ??= Buffer.allocUnsafeSlow(INLINE_HASH_MAX);
    // Whatever is missing, the digest shows it.
    const length = readInto(fd, this.#scratch.subarray(0, size), 0);
    return computeVerity(algorithm, this.#scratch.subarray(0, length));
  }
}

/** What the kernel vouches for; it checks what is read as well. */
function measuredByKernel(fd: number, algorithm: HashAlgorithm): ObjectId | undefined {
  try {
    return measureVerityOpt(fd, algorithm);
  } catch {
    // No foreign functions, or verity of another algorithm.
    return undefined;
  }
}

function digestIn(metacopy: Buffer): ExpectedDigest | undefined {
  for (const algorithm of HASH_ALGORITHMS) {
    const id = decodeMetacopy(metacopy, algorithm);
    if (id !== undefined) return { algorithm, id };
  }
  return undefined;
}

/** One leading slash is dropped; a path that leads out of the directory is refused. */
function objectPath(redirect: Buffer): Buffer {
  const path = redirect[0] === 0x2f ? redirect.subarray(1) : redirect;
  const components = path.toString('latin1').split('/');
  if (path.includes(0) || components.some((each) => each === '' || each === '.' || each === '..')) {
    throw damaged(path, 'this is no path of an object');
  }
  return path;
}

function damaged(path: Buffer, reason: string): ComposefsError {
  return new ComposefsError('DAMAGED_OBJECT', `object ${path.toString()}: ${reason}`);
}
