import { isAscii } from 'node:buffer';
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  type Stats,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { resolve } from 'node:path';
import { ComposefsError } from '../../../errors.js';
import { type DirectoryEntry, listDirectory } from '../../../fs/directory-entries.js';
import { closeOnError, isErrno, withFd } from '../../../fs/files.js';
import { openFileOnly, requireRegularFile } from '../../../fs/open-file.js';
import { renamePath } from '../../../fs/rename-path.js';
import { O_PATH } from '../../../linux/constants.js';
import { procPath } from '../../../linux/link.js';
import { findDirectoryBeneath, type OpenDirectory, withDirectoryBeneath } from '../../../linux/open-beneath.js';
import { OpenDirectories } from './open-directories.js';
import { RepositoryClosedError, UnsafePathError } from './open-error.js';

/** Relative to the directory of the repository, without `.` and `..`. Text is UTF-8; names that are not are bytes. */
export type RelativePath = string | Buffer;

/** Plain data: with it, another thread of the process reaches the same directory. */
export interface RootReference {
  /** Absolute; for messages. */
  readonly path: string;
  readonly fd: number;
  /** For all threads, `Int32`: {@link OPEN}, {@link CLOSING} or {@link CLOSED} @0, {@link RepositoryRoot.lacksVerity} @1. */
  readonly state: SharedArrayBuffer;
  /** Root may write although the directory is another user's. */
  readonly allowForeignOwner: boolean;
}

const OPEN = 0;
/** What runs goes on, and nothing new may begin. */
const CLOSING = 1;
/** The number of the descriptor may be that of another file. */
const CLOSED = 2;

/** Where in the state the second number is. */
const LACKS_VERITY = 1;

/** The state of a directory that was just opened. */
export function openState(): SharedArrayBuffer {
  return new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
}

export interface OpenRootOptions {
  /** As root, write also where the directory belongs to another user. Default false. */
  readonly allowForeignOwner?: boolean | undefined;
}

/**
 * The directory of a repository, and the way to everything in it.
 *
 * It is opened once. What is below is reached from its descriptor without following a symlink or entering a mount, so
 * that a repository that belongs to somebody else cannot lead a privileged process to files outside of it. The links of
 * the repository itself, in `streams/` and `images/`, are read and followed by {@link resolve}, inside of it only.
 */
export class RepositoryRoot {
  readonly reference: RootReference;
  readonly #state: Int32Array;
  readonly #mayGoOn: () => boolean;
  /** While there are {@link keepDirectories keepers}. */
  #kept: OpenDirectories | undefined;
  #keepers = 0;

  /** @param mayGoOn whether the caller is one that may go on while the directory is about to be closed. */
  constructor(reference: RootReference, mayGoOn: () => boolean = () => true) {
    this.reference = reference;
    this.#state = new Int32Array(reference.state);
    this.#mayGoOn = mayGoOn;
  }

  /** @param path absolute; links in it are followed. */
  static open(path: string, options: OpenRootOptions = {}, mayGoOn?: () => boolean): RepositoryRoot {
    // Read-only rather than O_PATH: only an open file can be locked.
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    return closeOnError(fd, () => {
      requireProc();
      const { allowForeignOwner = false } = options;
      return new RepositoryRoot({ path, fd, state: openState(), allowForeignOwner }, mayGoOn);
    });
  }

  get path(): string {
    return this.reference.path;
  }

  /** @throws RepositoryClosedError */
  get fd(): number {
    this.requireOpen();
    return this.reference.fd;
  }

  /** @throws RepositoryClosedError */
  requireOpen(): void {
    const state = Atomics.load(this.#state, 0);
    if (state === CLOSED || (state === CLOSING && !this.#mayGoOn())) throw new RepositoryClosedError(this.path);
  }

  /** Whether it was found that the file system has no fs-verity: one thread finds that out for all. */
  get lacksVerity(): boolean {
    return Atomics.load(this.#state, LACKS_VERITY) !== 0;
  }

  set lacksVerity(value: boolean) {
    Atomics.store(this.#state, LACKS_VERITY, value ? 1 : 0);
  }

  /** Whether {@link beginClose} was called. */
  get isClosing(): boolean {
    return Atomics.load(this.#state, 0) !== OPEN;
  }

  /** From now on only what runs may go on. False if that was said before. */
  beginClose(): boolean {
    return Atomics.compareExchange(this.#state, 0, OPEN, CLOSING) === OPEN;
  }

  /** For all threads. Does nothing a second time. */
  close(): void {
    if (Atomics.exchange(this.#state, 0, CLOSED) !== CLOSED) closeSync(this.reference.fd);
  }

  /** What messages call a file. */
  nameOf(path: RelativePath): string {
    return path.length === 0 ? this.path : `${this.path}/${path}`;
  }

  /**
   * Opens a file; the caller closes it.
   *
   * @param mode of a new file, less the umask.
   * @throws UnsafePathError if the way leads through a symlink or a mount, or ends at a symlink.
   */
  open(path: RelativePath, flags: number, mode = 0): number {
    try {
      return this.#at(path, (file) => openSync(file, flags | constants.O_NOFOLLOW, mode));
    } catch (error) {
      throw isErrno(error, 'ELOOP') ? new UnsafePathError(this.nameOf(path), error) : error;
    }
  }

  /** An `O_PATH` descriptor of a directory; the caller closes it. @throws ENOENT, ENOTDIR; UnsafePathError */
  openDirectory(path: RelativePath): number {
    return this.within(path, (self) => openSync(self, O_PATH | constants.O_DIRECTORY));
  }

  /**
   * {@link openDirectory} for callers that close it themselves; undefined if there is none.
   *
   * @throws UnsafePathError
   */
  findDirectory(path: string): OpenDirectory | undefined {
    try {
      return findDirectoryBeneath(this.fd, path, this.nameOf(path));
    } catch (error) {
      throw isErrno(error, 'ELOOP', 'EXDEV') ? new UnsafePathError(this.nameOf(path), error) : error;
    }
  }

  /**
   * Opens a regular file for reading.
   *
   * @throws ComposefsError `NOT_A_FILE`
   */
  openFile(path: RelativePath): number {
    const fd = this.open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    return closeOnError(fd, () => {
      requireRegularFile(fd, this.nameOf(path));
      return fd;
    });
  }

  /**
   * {@link openFile} in a directory that was opened with {@link openDirectory}.
   *
   * @param directory what it is called in the repository.
   */
  openFileIn(fd: number, directory: string, name: string): number {
    checkedName(name);
    const self = procPath(fd);
    try {
      const file = openFileOnly(`${self}/${name}`);
      return closeOnError(file, () => {
        requireRegularFile(file, this.nameOf(`${directory}/${name}`));
        return file;
      });
    } catch (error) {
      const renamed = renamePath(error, self, this.nameOf(directory));
      throw isErrno(error, 'ELOOP') ? new UnsafePathError(this.nameOf(`${directory}/${name}`), renamed) : renamed;
    }
  }

  /** {@link openFile}; undefined if there is no such file. */
  openFileIfExists(path: RelativePath): number | undefined {
    return undefinedIfMissing(() => this.openFile(path));
  }

  /**
   * From now on directories that are reached stay open: for reading many files in them.
   *
   * @returns what closes them, unless others want them open as well. To be called once.
   */
  keepDirectories(): () => void {
    this.#kept ??= new OpenDirectories(new RepositoryRoot(this.reference, this.#mayGoOn));
    this.#keepers += 1;
    return () => {
      this.#keepers -= 1;
      if (this.#keepers > 0) return;
      this.#kept?.close();
      this.#kept = undefined;
    };
  }

  /**
   * Runs `action` with a path by which Node's functions reach a directory, valid for the length of the call: what is
   * appended to it must be one name.
   *
   * @throws ENOENT, ENOTDIR; UnsafePathError
   */
  within<T>(directory: RelativePath, action: (self: string) => T): T {
    if (this.#kept !== undefined && directory.length > 0 && (typeof directory === 'string' || isAscii(directory))) {
      this.requireOpen();
      return this.#kept.within(directory.toString(), action);
    }
    let isThere = false;
    try {
      return withDirectoryBeneath(this.fd, directory, this.nameOf(directory), (fd) => {
        isThere = true;
        return this.withinOpen(fd, directory, action);
      });
    } catch (error) {
      const isUnsafe = !isThere && isErrno(error, 'ELOOP', 'EXDEV');
      throw isUnsafe ? new UnsafePathError(this.nameOf(directory), error) : error;
    }
  }

  /** {@link within} a directory that was opened with {@link openDirectory}. */
  withinOpen<T>(fd: number, directory: RelativePath, action: (self: string) => T): T {
    const self = procPath(fd);
    try {
      return action(self);
    } catch (error) {
      throw renamePath(error, self, this.nameOf(directory));
    }
  }

  /** Undefined if there is no such thing. */
  lstat(path: RelativePath): Stats | undefined {
    return undefinedIfMissing(() => this.#at(path, (file) => lstatSync(file, { throwIfNoEntry: false })));
  }

  /** The bytes of a symlink; undefined if there is no such thing. @throws EINVAL if it is something else. */
  readLink(path: RelativePath): Buffer | undefined {
    try {
      // Most names that are looked for are new, and an exception takes ten times as long as another look.
      const read = (file: string | Buffer): Buffer | undefined =>
        lstatSync(file, { throwIfNoEntry: false }) === undefined ? undefined : readlinkSync(file, 'buffer');
      return undefinedIfMissing(() => this.#at(path, read));
    } catch (error) {
      if (!isErrno(error, 'EINVAL')) throw error;
      const hint = 'cfsctl fsck says what else is not as it should be';
      throw new ComposefsError('EINVAL', `${this.nameOf(path)} is not a symbolic link`, { cause: error, hint });
    }
  }

  /** Sorted by name; undefined if there is no such directory. */
  list(directory: RelativePath): DirectoryEntry[] | undefined {
    return undefinedIfMissing(() => this.within(directory, listDirectory));
  }

  /**
   * Makes a directory with exactly this mode, unless it is there; its parent must be.
   *
   * @throws ENOTDIR; UnsafePathError
   */
  makeDirectory(path: string, mode: number): void {
    if (this.#kept?.has(path) === true) return;
    const found = this.findDirectory(path);
    if (found !== undefined) {
      found.close();
      return;
    }
    try {
      this.#at(path, (directory) => mkdirSync(directory, { mode }));
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
      // Somebody else was faster. What is there must be a directory.
      closeSync(this.openDirectory(path));
      return;
    }
    withFd(this.open(path, constants.O_RDONLY | constants.O_DIRECTORY), (fd) => fchmodSync(fd, mode));
  }

  /** Makes a symlink. False if the name is taken. */
  makeLink(path: RelativePath, text: RelativePath): boolean {
    try {
      this.#at(path, (link) => symlinkSync(text, link));
      return true;
    } catch (error) {
      if (isErrno(error, 'EEXIST')) return false;
      throw error;
    }
  }

  rename(from: RelativePath, to: RelativePath): void {
    this.#at(from, (source) => this.#at(to, (target) => renameSync(source, target)));
  }

  /** @throws ENOENT */
  unlink(path: RelativePath): void {
    this.#at(path, unlinkSync);
  }

  /** @throws ENOENT, ENOTEMPTY */
  removeDirectory(path: RelativePath): void {
    this.#at(path, rmdirSync);
  }

  #at<T>(path: RelativePath, action: (file: string | Buffer) => T): T {
    const slash = path.lastIndexOf('/');
    const directory = slash < 0 ? '' : typeof path === 'string' ? path.slice(0, slash) : path.subarray(0, slash);
    const name = typeof path === 'string' ? path.slice(slash + 1) : path.subarray(slash + 1);
    return this.within(directory, (self) => action(joinName(self, name)));
  }
}

/** Opens the directory of a repository for the length of a call. */
export function withRoot<T>(path: string, options: OpenRootOptions, action: (root: RepositoryRoot) => T): T {
  const root = RepositoryRoot.open(resolve(path), options);
  try {
    return action(root);
  } finally {
    root.close();
  }
}

function joinName(directory: string, name: string | Buffer): string | Buffer {
  checkedName(name.toString('latin1'));
  return typeof name === 'string' ? `${directory}/${name}` : Buffer.concat([Buffer.from(`${directory}/`), name]);
}

/** What is no name would lead to the directory itself or out of it. */
function checkedName(name: string): void {
  if (name === '' || name === '.' || name === '..') {
    throw new ComposefsError('INVALID_NAME', `not the name of a file: ${JSON.stringify(name)}`);
  }
}

function undefinedIfMissing<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Node's functions take paths only: those through descriptors are in `/proc`. */
function requireProc(): void {
  if (existsSync('/proc/self/fd')) return;
  throw new ComposefsError('PROC_UNAVAILABLE', '/proc is not mounted', { hint: 'mount -t proc proc /proc' });
}
