/** Making a tree of a directory on disk (spec 30 §10.2). */

import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import {
  type ByteString,
  byteStringFrom,
  byteStringToBuffer,
  byteStringToText,
  isAscii,
  quoteBytes,
} from '../../bytes/byte-string.js';
import { safeInteger } from '../../bytes/integer.js';
import { ComposefsError, withContext } from '../../errors.js';
import { type NamedEntry, readEntries } from '../../fs/directory-entries.js';
import { withFd } from '../../fs/files.js';
import { openFileOnly } from '../../fs/open-file.js';
import { renamePath } from '../../fs/rename-path.js';
import { procPath } from '../../linux/link.js';
import { readXattrs } from '../../linux/xattr.js';
import { INLINE_CONTENT_MAX_V0 } from '../../tar/limits.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import { Directory, Leaf, type RegularFile } from '../tree/inode.js';
import { NO_XATTRS, type Stat, type Xattrs } from '../tree/stat.js';
import { FileDigests, type FileStore } from './file-digests.js';
import { PendingFile } from './pending-file.js';
import { contentError, joinPath, leafError, ScanError, type ScanPlace, scanError } from './scan-error.js';
import { hasTypeOf, specialContent } from './special-file.js';

/** `tracked`: names of one inode become hard links. `break`: every name becomes an inode of its own. */
export type HardlinkBehavior = 'tracked' | 'break';

export interface ScanOptions {
  readonly algorithm: HashAlgorithm;
  /** Default: digests are computed and nothing is stored. */
  readonly store?: FileStore;
  /** Default `tracked`. */
  readonly hardlinks?: HardlinkBehavior;
  /** Gives the xattrs of an inode that the tree is to have. Default: all that there are. */
  readonly readXattrs?: (path: Buffer) => Xattrs;
}

/** A directory being read. Paths of children go over its descriptor: no rename leads elsewhere, no path is too long. */
interface OpenDirectory {
  readonly directory: Directory;
  readonly place: ScanPlace;
  readonly fd: number;
  readonly entries: readonly NamedEntry[];
  next: number;
}

/**
 * The tree below a directory, made step by step: all inodes of all types with all their xattrs, and mtimes to the
 * nanosecond. Mount points are crossed, symlinks are not followed; the path itself must not be one. What cannot be read
 * fails the scan. Whoever makes one closes it.
 */
export class FilesystemScan {
  /** Complete after the last step. */
  readonly root: Directory;
  readonly #options: ScanOptions;
  readonly #readXattrs: (path: string | Buffer) => Xattrs;
  readonly #store: FileStore;
  /** Undefined: contents are read at once. */
  readonly #pending: PendingFile[] | undefined;
  /** By device and inode number. */
  readonly #leaves = new Map<bigint, Map<bigint, Leaf>>();
  readonly #open: OpenDirectory[] = [];

  /**
   * @param pending to which most large files are added, instead of reading them: the tree may be used when all of them are
   *   resolved. `options.store` is for those that cannot be left for later. Undefined: all are read.
   * @throws ScanError
   */
  constructor(path: string | Buffer, options: ScanOptions, pending: PendingFile[] | undefined) {
    this.#options = options;
    const { readXattrs: ownXattrs } = options;
    this.#readXattrs = ownXattrs === undefined ? readXattrs : (path) => ownXattrs(Buffer.from(path));
    this.#store = options.store ?? new FileDigests(options.algorithm);
    this.#pending = pending;
    const name = typeof path === 'string' ? byteStringFrom(Buffer.from(path)) : byteStringFrom(path);
    try {
      this.root = this.#enter(path, name, undefined);
    } catch (cause) {
      throw new ScanError(`Scanning directory ${quoteBytes(name)}`, name, cause);
    }
  }

  /**
   * Reads one more entry. False if there is none.
   *
   * @throws ScanError
   */
  step(): boolean {
    const top = this.#open.at(-1);
    if (top === undefined) return false;
    const entry = top.entries[top.next];
    top.next += 1;
    if (entry === undefined) {
      this.#open.pop();
      closeSync(top.fd);
      return true;
    }
    const { name } = entry;
    try {
      top.directory.insert(name, this.#scanInode(top, entry, name));
    } catch (cause) {
      throw scanError(top.place, name, renamePath(cause, procPath(top.fd), byteStringToText(top.place.path)));
    }
    return true;
  }

  /**
   * Reads a pending file that has changed since it was found: what it is now counts, as if it had been found later.
   *
   * @throws ScanError also if it is another file now.
   */
  readChanged(file: PendingFile): void {
    const path = byteStringToBuffer(file.path);
    try {
      this.#withFile(path, (fd, stats) => {
        if (stats.dev !== file.dev || stats.ino !== file.ino) throw fileReplaced();
        file.replace(this.#readStat(stats, path), this.#readFile(fd, stats));
      });
    } catch (cause) {
      throw file.failure(cause);
    }
  }

  /** Closes what is open, wherever the scan is. */
  close(): void {
    for (const { fd } of this.#open.splice(0)) closeSync(fd);
  }

  #scanInode(parent: OpenDirectory, entry: NamedEntry, name: ByteString): Directory | Leaf {
    const path = childPath(parent.fd, name);
    if (entry.isDirectory()) return this.#enter(path, name, parent.place);
    try {
      return this.#scanLeaf(path, entry, parent.place, name);
    } catch (cause) {
      throw leafError(name, cause);
    }
  }

  #enter(path: string | Buffer, name: ByteString, parent: ScanPlace | undefined): Directory {
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      const self = procPath(fd);
      const stats = withContext('Getting file stats', () => fstatSync(fd, { bigint: true }));
      const directory = new Directory(this.#readStat(stats, `${self}/.`));
      const entries = readEntries(self);
      const place = { name, path: parent === undefined ? name : joinPath(parent.path, name), parent };
      this.#open.push({ directory, place, fd, entries, next: 0 });
      return directory;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  #scanLeaf(path: string | Buffer, entry: NamedEntry, place: ScanPlace, name: ByteString): Leaf {
    if (!entry.isFile()) {
      const stats = withContext('Getting file stats', () => lstatSync(path, { bigint: true }));
      if (!hasTypeOf(entry, stats)) throw typeChanged();
      return this.#leafFor(stats, () => new Leaf(this.#readStat(stats, path), specialContent(stats, path)));
    }
    if (this.#pending !== undefined && PendingFile.isPossible(place, name)) {
      const stats = withContext('Getting file stats', () => lstatSync(path, { bigint: true }));
      if (!stats.isFile()) throw typeChanged();
      const pending = this.#pending;
      if (stats.size > INLINE_CONTENT_MAX_V0) {
        return this.#leafFor(stats, () => {
          const file = new PendingFile(this.#readStat(stats, path), stats, place, name);
          pending.push(file);
          return file.leaf;
        });
      }
    }
    return this.#withFile(path, (fd, stats) =>
      this.#leafFor(stats, () => {
        const file = readingContent(() => this.#readFile(fd, stats));
        return new Leaf(this.#readStat(stats, path), { type: 'regular', file });
      }),
    );
  }

  #withFile<T>(path: string | Buffer, action: (fd: number, stats: BigIntStats) => T): T {
    return withFd(
      readingContent(() => openFileOnly(path)),
      (fd) => {
        const stats = withContext('Getting file stats', () => fstatSync(fd, { bigint: true }));
        if (!stats.isFile()) throw typeChanged();
        return action(fd, stats);
      },
    );
  }

  /** Inodes are told apart by number whatever their link count says: not all file systems tell the truth there. */
  #leafFor({ dev, ino }: BigIntStats, make: () => Leaf): Leaf {
    if (this.#options.hardlinks === 'break') return make();
    let leaves = this.#leaves.get(dev);
    if (leaves === undefined) {
      leaves = new Map();
      this.#leaves.set(dev, leaves);
    }
    let leaf = leaves.get(ino);
    if (leaf === undefined) {
      leaf = make();
      leaves.set(ino, leaf);
    }
    return leaf;
  }

  #readFile(fd: number, stats: BigIntStats): RegularFile {
    const size = safeInteger(stats.size, 'file size');
    if (size <= INLINE_CONTENT_MAX_V0) {
      const data = Buffer.alloc(size);
      return { storage: 'inline', data: data.subarray(0, readSync(fd, data, 0, size, 0)) };
    }
    return {
      storage: 'external',
      id: this.#store.ensureObjectFromFd(fd, size),
      size,
    };
  }

  #readStat(stats: BigIntStats, path: string | Buffer): Stat {
    const xattrs = withContext('Reading extended attributes', () => this.#readXattrs(path));
    // A time before the epoch has nanoseconds that count up, too.
    const nanoseconds = ((stats.mtimeNs % BILLION) + BILLION) % BILLION;
    return {
      mode: Number(stats.mode & 0o7777n),
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      mtimeSec: safeInteger((stats.mtimeNs - nanoseconds) / BILLION, 'mtime'),
      mtimeNsec: Number(nanoseconds),
      xattrs: xattrs.size === 0 ? NO_XATTRS : xattrs,
    };
  }
}

const BILLION = 1_000_000_000n;

function typeChanged(): ComposefsError {
  return new ComposefsError('FILE_TYPE_CHANGED', 'File type changed between readdir() and fstat()');
}

function fileReplaced(): ComposefsError {
  return new ComposefsError('FILE_CHANGED', 'File was replaced while the directory was read');
}

function readingContent<T>(action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw contentError(cause);
  }
}

/** Bytes where the name is no ASCII: to make them takes longer than to look at the name. */
function childPath(fd: number, name: ByteString): string | Buffer {
  const path = `${procPath(fd)}/${name}`;
  return isAscii(name) ? path : Buffer.from(path, 'latin1');
}
