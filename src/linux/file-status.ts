import { endianness } from 'node:os';
import type { ByteString } from '../bytes/byte-string.js';
import { ComposefsError } from '../errors.js';
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, S_IFMT } from './constants.js';
import { checkCall } from './errno.js';
import { briefCString, libcFunction } from './ffi.js';

/** `STATX_BASIC_STATS` of linux/stat.h. */
const BASIC_STATS = 0x7ff;

// `struct statx`, which is the same on all architectures: 256 bytes, by the index of 32-bit words.
const SIZE_WORDS = 64;
const UID = 5;
const GID = 6;
/** In its first two bytes. */
const MODE = 7;
const INO = 8;
const SIZE = 10;
const MTIME_SEC = 28;
const MTIME_NSEC = 30;
const RDEV_MAJOR = 32;
const RDEV_MINOR = 33;
const DEV_MAJOR = 34;
const DEV_MINOR = 35;

const [LOW, HIGH] = endianness() === 'LE' ? [0, 1] : [1, 0];
const WORD = 2 ** 32;

/** What a file must not change in to be the one that was found: words of the structure. */
const IDENTITY = [DEV_MAJOR, DEV_MINOR, INO, INO + 1, SIZE, SIZE + 1, MTIME_SEC, MTIME_SEC + 1, MTIME_NSEC] as const;

/** Of these, the ones that no change of the content changes. */
const INODE_WORDS = 4;

/** How many words a {@link FileStatus.copyIdentity} takes. */
export const IDENTITY_WORDS: number = IDENTITY.length;

const statx = libcFunction<[dirFd: number, path: Uint8Array, flags: number, mask: number, status: Uint32Array], number>(
  'statx',
  'int',
  ['int', 'const void *', 'int', 'unsigned int', 'void *'],
);

const NO_NAME: Buffer = Buffer.alloc(1);

/**
 * What `statx(2)` says of a file, of one after the other: for callers that ask for many of them. Node's functions take a
 * path for each and make bigints, which takes four times as long.
 */
export class FileStatus {
  readonly #words = new Uint32Array(new ArrayBuffer(SIZE_WORDS * Uint32Array.BYTES_PER_ELEMENT));

  /**
   * Asks for an entry of a directory; of a symlink for itself.
   *
   * @throws SystemError
   */
  readEntry(dirFd: number, name: ByteString): void {
    checkCall(statx(dirFd, briefCString(name), AT_SYMLINK_NOFOLLOW, BASIC_STATS, this.#words), 'statx', name);
  }

  /** Asks for an open file. @throws SystemError */
  readFd(fd: number): void {
    checkCall(statx(fd, NO_NAME, AT_EMPTY_PATH, BASIC_STATS, this.#words), 'statx', fd);
  }

  /** The `S_IFMT` bits. */
  get type(): number {
    return this.#mode & S_IFMT;
  }

  /** Without the type. */
  get permissions(): number {
    return this.#mode & 0o7777;
  }

  get uid(): number {
    return this.#word(UID);
  }

  get gid(): number {
    return this.#word(GID);
  }

  /** In bytes. @throws ComposefsError `INTEGER_TOO_LARGE` */
  get size(): number {
    return safe(this.#unsigned(SIZE), 'file size');
  }

  /** @throws ComposefsError `INTEGER_TOO_LARGE` */
  get mtimeSec(): number {
    return safe((this.#word(MTIME_SEC + HIGH) | 0) * WORD + this.#word(MTIME_SEC + LOW), 'mtime');
  }

  get mtimeNsec(): number {
    return this.#word(MTIME_NSEC);
  }

  /** The device number of a device, as Linux encodes it in 32 bits (`new_encode_dev` of linux/kdev_t.h). */
  get rdev(): number {
    const minor = this.#word(RDEV_MINOR);
    return ((minor & 0xff) | (this.#word(RDEV_MAJOR) << 8) | ((minor & ~0xff) << 12)) >>> 0;
  }

  /** The file system, as a number that no other has. The kernel's device numbers have 32 bits. */
  get device(): number {
    return this.#word(DEV_MAJOR) * WORD + this.#word(DEV_MINOR);
  }

  /** The inode number; a bigint where a number would not be exact. */
  get inode(): number | bigint {
    const number = this.#unsigned(INO);
    if (Number.isSafeInteger(number)) return number;
    return (BigInt(this.#word(INO + HIGH)) << 32n) | BigInt(this.#word(INO + LOW));
  }

  /** Device, inode number, size and mtime: {@link IDENTITY_WORDS} words from `at` on, for {@link hasIdentity}. */
  copyIdentity(target: Uint32Array, at: number): void {
    for (let index = 0; index < IDENTITY_WORDS; index++) target[at + index] = this.#word(IDENTITY[index] ?? 0);
  }

  /** Whether the file is the one of a {@link copyIdentity}, as far as these tell. */
  hasIdentity(source: Uint32Array, at: number): boolean {
    return this.#has(source, at, IDENTITY_WORDS);
  }

  /** Whether it has the device and the inode number of a {@link copyIdentity}. */
  isSameInode(source: Uint32Array, at: number): boolean {
    return this.#has(source, at, INODE_WORDS);
  }

  #has(source: Uint32Array, at: number, words: number): boolean {
    for (let index = 0; index < words; index++) {
      if (source[at + index] !== this.#word(IDENTITY[index] ?? 0)) return false;
    }
    return true;
  }

  get #mode(): number {
    return LOW === 0 ? this.#word(MODE) & 0xffff : this.#word(MODE) >>> 16;
  }

  #unsigned(field: number): number {
    return this.#word(field + HIGH) * WORD + this.#word(field + LOW);
  }

  #word(index: number): number {
    return this.#words[index] ?? 0;
  }
}

function safe(value: number, what: string): number {
  if (Number.isSafeInteger(value)) return value;
  throw new ComposefsError('INTEGER_TOO_LARGE', `${what} ${value} is beyond the supported range of 2^53 - 1`);
}
