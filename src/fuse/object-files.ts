import { hash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { decodeMetacopy } from '../composefs/erofs/metacopy.js';
import type { ErofsInode } from '../composefs/erofs/reader/inode.js';
import { METACOPY_SUFFIX, REDIRECT_SUFFIX } from '../composefs/erofs/reader/inode-xattrs.js';
import type { HashAlgorithm } from '../composefs/fsverity/algorithm.js';
import { computeVerityOfFd } from '../composefs/fsverity/digest.js';
import { measureVerityOpt } from '../composefs/fsverity/kernel.js';
import type { ObjectId } from '../composefs/fsverity/object-id.js';
import { ComposefsError } from '../errors.js';
import type { VerifiedObjects } from './verified-objects.js';

/** A path of a FIFO must not block the server. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The digest that an object must have. */
interface ExpectedDigest {
  readonly algorithm: HashAlgorithm;
  readonly id: ObjectId;
}

/** Where the content of a file is, if it is not in the image. */
export function redirectOf(inode: ErofsInode): Buffer | undefined {
  return overlayXattr(inode, REDIRECT_SUFFIX);
}

/** The data files of an image, in one directory. */
export class ObjectFiles {
  readonly #directory: Buffer;
  readonly #verified: VerifiedObjects | undefined;

  /**
   * @param directoryFd of `objects/`; `O_PATH` is enough.
   * @param verified if given, an object must have the digest that the image states.
   */
  constructor(directoryFd: number, verified: VerifiedObjects | undefined) {
    this.#directory = Buffer.from(`/proc/self/fd/${directoryFd}/`);
    this.#verified = verified;
  }

  /**
   * Opens the object of a file.
   *
   * @param redirect of {@link redirectOf}.
   * @returns a descriptor that the caller closes.
   * @throws ComposefsError `DAMAGED_OBJECT`; errors of `open(2)`
   */
  open(inode: ErofsInode, redirect: Buffer): number {
    const path = objectPath(redirect);
    const fd = openSync(Buffer.concat([this.#directory, path]), OPEN_FLAGS);
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile() || stat.size !== inode.exactSize) throw damaged(path, 'its size is not that of the file');
      if (this.#verified !== undefined) this.#verify(fd, path, expectedDigest(inode), this.#verified);
      return fd;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  #verify(fd: number, path: Buffer, expected: ExpectedDigest | undefined, verified: VerifiedObjects): void {
    if (expected === undefined) throw damaged(path, 'the image states no digest');
    const { algorithm, id } = expected;
    const key = Buffer.from(hash('sha256', Buffer.concat([path, Buffer.from(`\0${id}`)]), 'binary'), 'latin1');
    if (!verified.verify(key, () => digestOf(fd, algorithm) === id)) throw damaged(path, 'its digest is another');
  }
}

/** What the kernel vouches for, else what the content says. */
function digestOf(fd: number, algorithm: HashAlgorithm): ObjectId {
  let measured: ObjectId | undefined;
  try {
    measured = measureVerityOpt(fd, algorithm);
  } catch {
    // No foreign functions, or verity of another algorithm.
  }
  return measured ?? computeVerityOfFd(algorithm, fd);
}

function expectedDigest(inode: ErofsInode): ExpectedDigest | undefined {
  const value = overlayXattr(inode, METACOPY_SUFFIX);
  if (value === undefined) return undefined;
  for (const algorithm of ['sha256', 'sha512'] as const) {
    const id = decodeMetacopy(value, algorithm);
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

function overlayXattr(inode: ErofsInode, suffix: string): Buffer | undefined {
  for (const xattr of inode.xattrs()) if (xattr.isTrusted(suffix)) return xattr.value;
  return undefined;
}

function damaged(path: Buffer, reason: string): ComposefsError {
  return new ComposefsError('DAMAGED_OBJECT', `object ${path.toString()}: ${reason}`);
}
