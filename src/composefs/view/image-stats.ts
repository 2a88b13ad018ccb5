import { type ByteString, byteStringToBuffer, byteStringToText } from '../../bytes/byte-string.js';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from '../../linux/constants.js';
import type { ObjectId } from '../fsverity/object-id.js';
import type { ImageEntry } from './image-entry.js';

/** The type of an entry, asked as of `fs.Stats` and `fs.Dirent`. */
export class FileTypeTests {
  /** Type and permission bits. */
  readonly mode: number;

  constructor(mode: number) {
    this.mode = mode;
  }

  /** Whether it is a regular file. */
  isFile(): boolean {
    return this.#is(S_IFREG);
  }

  /** Whether it is a directory. */
  isDirectory(): boolean {
    return this.#is(S_IFDIR);
  }

  /** Whether it is a symlink, which `stat` follows and `lstat` does not. */
  isSymbolicLink(): boolean {
    return this.#is(S_IFLNK);
  }

  /** Whether it is a block device. */
  isBlockDevice(): boolean {
    return this.#is(S_IFBLK);
  }

  /** Whether it is a character device. */
  isCharacterDevice(): boolean {
    return this.#is(S_IFCHR);
  }

  /** Whether it is a named pipe. */
  isFIFO(): boolean {
    return this.#is(S_IFIFO);
  }

  /** Whether it is a socket. */
  isSocket(): boolean {
    return this.#is(S_IFSOCK);
  }

  #is(type: number): boolean {
    return (this.mode & S_IFMT) === type;
  }
}

/** What an image says of an entry: as `fs.Stats` where that has it. An image holds one time only, that of the content. */
export class ImageStats extends FileTypeTests {
  /** The number of the inode in the image: equal for hard links. */
  readonly ino: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  /** As Linux encodes it in 32 bits (`new_encode_dev`); 0 unless it is a device. */
  readonly rdev: number;
  /** In bytes. */
  readonly size: number;
  readonly mtime: Date;
  readonly mtimeMs: number;
  /** Since the epoch; may be negative. */
  readonly mtimeSec: number;
  /** 0 to 999,999,999. */
  readonly mtimeNsec: number;
  /** The fs-verity digest of the content, under which the repository has it; undefined for what the image itself holds. */
  readonly object: ObjectId | undefined;

  /** @internal */
  constructor({ inode, mode, rdev, size, object }: ImageEntry) {
    super(mode);
    this.ino = inode.nid;
    this.nlink = inode.nlink;
    this.uid = inode.uid;
    this.gid = inode.gid;
    this.rdev = rdev;
    this.size = size;
    this.mtimeSec = inode.mtimeSec;
    this.mtimeNsec = inode.mtimeNsec;
    this.mtimeMs = this.mtimeSec * 1000 + this.mtimeNsec / 1e6;
    this.mtime = new Date(this.mtimeMs);
    this.object = object;
  }
}

/** A name in a directory, as `fs.Dirent`, with what the image says of what it names. */
export class ImageDirent extends FileTypeTests {
  readonly stats: ImageStats;
  readonly #parent: readonly ByteString[];
  readonly #name: ByteString;

  /** @internal */
  constructor(parent: readonly ByteString[], name: ByteString, entry: ImageEntry) {
    super(entry.mode);
    this.#parent = parent;
    this.#name = name;
    this.stats = new ImageStats(entry);
  }

  /** As UTF-8; U+FFFD stands for what is not. */
  get name(): string {
    return byteStringToText(this.#name);
  }

  /** The directory, without symlinks; `/` is the root. */
  get parentPath(): string {
    return pathText(this.#parent);
  }

  /** The whole path, absolute. */
  get path(): string {
    return pathText([...this.#parent, this.#name]);
  }

  /** {@link path} as it is: what the methods of `ImageFileSystem` take for a name that is not UTF-8. */
  get pathBytes(): Buffer {
    return byteStringToBuffer(`/${[...this.#parent, this.#name].join('/')}` as ByteString);
  }
}

/** An absolute path of its names. */
export function pathText(names: readonly ByteString[]): string {
  return `/${names.map(byteStringToText).join('/')}`;
}
