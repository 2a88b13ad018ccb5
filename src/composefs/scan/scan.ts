/** Making a tree of a directory on disk (spec 30 §10.2). */

import { closeSync, constants, openSync, readSync } from 'node:fs';
import {
  type ByteString,
  byteStringFrom,
  byteStringToBuffer,
  byteStringToText,
  isAscii,
  quoteBytes,
} from '../../bytes/byte-string.js';
import { ComposefsError, withContext } from '../../errors.js';
import { listNames } from '../../fs/directory-entries.js';
import { withFd } from '../../fs/files.js';
import { openFileOnly } from '../../fs/open-file.js';
import { renamePath } from '../../fs/rename-path.js';
import { S_IFDIR, S_IFREG } from '../../linux/constants.js';
import { FileStatus, IDENTITY_WORDS } from '../../linux/file-status.js';
import { procPath } from '../../linux/link.js';
import { readXattrs } from '../../linux/xattr.js';
import { INLINE_CONTENT_MAX_V0 } from '../../tar/limits.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import { Directory, type LeafContent, type RegularFile } from '../tree/inode.js';
import { NO_XATTRS, type Stat, type Xattrs } from '../tree/stat.js';
import { FileDigests, type FileStore } from './file-digests.js';
import { FoundLeaf, PendingFile } from './found-leaf.js';
import { contentError, joinPath, leafError, ScanError, type ScanPlace, scanError } from './scan-error.js';
import { specialContent } from './special-file.js';

/** `tracked`: names of one inode become hard links. `break`: every name becomes an inode of its own. */
export type HardlinkBehavior = 'tracked' | 'break';

export interface ScanOptions {
  readonly algorithm: HashAlgorithm;
  /** Default: digests are computed and nothing is stored. */
  readonly store?: FileStore;
  /** Default `tracked`. */
  readonly hardlinks?: HardlinkBehavior;
  /**
   * Gives the xattrs of an inode that the tree is to have. Default: all that there are; those of pending files are read
   * with their content.
   */
  readonly readXattrs?: ((path: Buffer) => Xattrs) | undefined;
}

/** A directory being read. Paths of children go over its descriptor: no rename leads elsewhere, no path is too long. */
interface OpenDirectory {
  readonly directory: Directory;
  readonly place: ScanPlace;
  readonly fd: number;
  readonly names: readonly ByteString[];
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
  readonly #leaves = new Map<number, Map<number | bigint, FoundLeaf>>();
  readonly #open: OpenDirectory[] = [];
  /** Of the inode at work. */
  readonly #status = new FileStatus();
  /** Of pending files, and how much of it is in use. */
  #identities = new Uint32Array(0);
  #identitiesUsed = 0;

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
    const name = top.names[top.next];
    top.next += 1;
    if (name === undefined) {
      this.#open.pop();
      closeSync(top.fd);
      return true;
    }
    try {
      this.#scanInode(top, name);
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
      this.#withFile(path, (fd) => {
        if (!file.isSameInode(this.#status)) throw fileReplaced();
        const stat = this.#readStat(path);
        file.replace(stat, { type: 'regular', file: this.#readFile(fd) });
      });
    } catch (cause) {
      throw file.failure(cause);
    }
  }

  /** Closes what is open, wherever the scan is. */
  close(): void {
    for (const { fd } of this.#open.splice(0)) closeSync(fd);
  }

  #scanInode(parent: OpenDirectory, name: ByteString): void {
    withContext('Getting file stats', () => this.#status.readEntry(parent.fd, name));
    if (this.#status.type === S_IFDIR) {
      parent.directory.insert(name, this.#enter(childPath(parent.fd, name), name, parent.place));
      return;
    }
    try {
      this.#scanLeaf(parent, name);
    } catch (cause) {
      throw leafError(name, cause);
    }
  }

  #enter(path: string | Buffer, name: ByteString, parent: ScanPlace | undefined): Directory {
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      const self = procPath(fd);
      withContext('Getting file stats', () => this.#status.readFd(fd));
      const directory = new Directory(this.#readStat(`${self}/.`));
      const names = listNames(self);
      const place = { name, path: parent === undefined ? name : joinPath(parent.path, name), parent, directory };
      this.#open.push({ directory, place, fd, names, next: 0 });
      return directory;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  #scanLeaf({ directory, fd: parentFd, place }: OpenDirectory, name: ByteString): void {
    const status = this.#status;
    const known = this.#find();
    if (known !== undefined) {
      directory.insert(name, known.leaf);
      return;
    }
    const path = childPath(parentFd, name);
    if (status.type !== S_IFREG) {
      const stat = this.#readStat(path);
      this.#add(new FoundLeaf(place, name), stat, specialContent(status, path));
      return;
    }
    const { size } = status;
    if (this.#pending !== undefined && size > INLINE_CONTENT_MAX_V0 && PendingFile.isPossible(place, name)) {
      const file = this.#pendingFile(place, name, size);
      const xattrs = this.#options.readXattrs === undefined ? NO_XATTRS : this.#xattrs(path);
      this.#add(file, this.#stat(xattrs), { type: 'regular', file: { storage: 'sparse', size } });
      this.#pending.push(file);
      return;
    }
    this.#withFile(path, (fd) => {
      const stat = this.#readStat(path);
      const file = readingContent(() => this.#readFile(fd));
      this.#add(new FoundLeaf(place, name), stat, { type: 'regular', file });
    });
  }

  /** Opens a file and asks for its status. */
  #withFile<T>(path: string | Buffer, action: (fd: number) => T): T {
    return withFd(
      readingContent(() => openFileOnly(path)),
      (fd) => {
        withContext('Getting file stats', () => this.#status.readFd(fd));
        if (this.#status.type !== S_IFREG) throw typeChanged();
        return action(fd);
      },
    );
  }

  /** The leaf of the inode at work, if that has a name already. */
  #find(): FoundLeaf | undefined {
    return this.#leaves.get(this.#status.device)?.get(this.#status.inode);
  }

  /** Inodes are told apart by number whatever their link count says: not all file systems tell the truth there. */
  #add(found: FoundLeaf, stat: Stat, content: LeafContent): void {
    found.insert(stat, content);
    if (this.#options.hardlinks === 'break') return;
    const { device, inode } = this.#status;
    let leaves = this.#leaves.get(device);
    if (leaves === undefined) {
      leaves = new Map();
      this.#leaves.set(device, leaves);
    }
    leaves.set(inode, found);
  }

  #pendingFile(place: ScanPlace, name: ByteString, size: number): PendingFile {
    const at = this.#identitiesUsed;
    if (at + IDENTITY_WORDS > this.#identities.length) {
      this.#identities = new Uint32Array(IDENTITIES_AT_ONCE * IDENTITY_WORDS);
      this.#identitiesUsed = 0;
      return this.#pendingFile(place, name, size);
    }
    this.#status.copyIdentity(this.#identities, at);
    this.#identitiesUsed += IDENTITY_WORDS;
    return new PendingFile(place, name, size, this.#identities, at);
  }

  #readFile(fd: number): RegularFile {
    const { size } = this.#status;
    if (size <= INLINE_CONTENT_MAX_V0) {
      const data = Buffer.alloc(size);
      return { storage: 'inline', data: data.subarray(0, readSync(fd, data, 0, size, 0)) };
    }
    return { storage: 'external', id: this.#store.ensureObjectFromFd(fd, size), size };
  }

  #readStat(path: string | Buffer): Stat {
    return this.#stat(this.#xattrs(path));
  }

  #xattrs(path: string | Buffer): Xattrs {
    return withContext('Reading extended attributes', () => this.#readXattrs(path));
  }

  #stat(xattrs: Xattrs): Stat {
    const { permissions, uid, gid, mtimeSec, mtimeNsec } = this.#status;
    return { mode: permissions, uid, gid, mtimeSec, mtimeNsec, xattrs: xattrs.size === 0 ? NO_XATTRS : xattrs };
  }
}

/** Memory for so many is made at once. */
const IDENTITIES_AT_ONCE = 512;

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
