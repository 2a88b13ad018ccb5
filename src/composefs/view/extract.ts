import {
  chmodSync,
  closeSync,
  constants,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type ByteString, byteStringToBuffer, quoteBytes } from '../../bytes/byte-string.js';
import { ComposefsError, withContextAsync } from '../../errors.js';
import { isErrno, writeFully } from '../../fs/files.js';
import { randomName } from '../../fs/random-name.js';
import { renamePath } from '../../fs/rename-path.js';
import { S_IFMT } from '../../linux/constants.js';
import { makeNode, procPath, renameNoReplace } from '../../linux/link.js';
import { setModificationTime } from '../../linux/utimens.js';
import { setXattr } from '../../linux/xattr.js';
import type { ProgressReporter } from '../../progress.js';
import { depthExceeded } from '../erofs/reader/errors.js';
import { MAX_TREE_DEPTH } from '../tree/limits.js';
import { type ImageEntry, isDirectory, isFile, isSparse, isSymlink } from './image-entry.js';
import type { Child, Found, ImageReader } from './image-reader.js';

/** How files of an image are written to a directory. */
export interface ExtractOptions {
  /** Whether files get the owners that they have in the image. Default: for root. */
  readonly owners?: boolean | undefined;
  /** Whether they get the xattrs. Those that the user may not set are left out, and counted. Default true. */
  readonly xattrs?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told how many bytes of content have been written. */
  readonly progress?: ProgressReporter | undefined;
}

/** What was written, and what this user could not write. */
export interface ExtractResult {
  /** Of all types, directories included. */
  entries: number;
  /** Of content. */
  bytes: number;
  skippedXattrs: number;
  skippedDevices: number;
}

/** The content of a file from its beginning. */
type ReadContent = (entry: ImageEntry) => AsyncIterable<Buffer>;

const O_CREATE_NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const O_OPEN_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const PERMISSIONS = 0o7777;
const ENTRIES_A_TURN = 64;

/**
 * Writes what is at a place of an image to `destination`, which must not exist: types, content, modes, times, hard
 * links, and owners and xattrs as far as the user may. It gets its name when it is complete; nothing stays of what
 * fails.
 *
 * @throws ComposefsError `EEXIST`; errors of the system with the path in the image
 */
export async function extract(
  reader: ImageReader,
  readContent: ReadContent,
  found: Found,
  destination: string,
  options: ExtractOptions = {},
): Promise<ExtractResult> {
  const target = destination.replace(/(?<=.)\/+$/, '');
  const temporary = `${target}${randomName('.tmp-')}`;
  requireParent(target);
  const extraction = new Extraction(reader, readContent, temporary, { ...options, target });
  try {
    options.progress?.report({ type: 'started', id: target, unit: 'bytes' });
    await extraction.write(found);
    renameNoReplace(temporary, target);
    options.progress?.report({ type: 'done', id: target, transferred: extraction.result.bytes });
  } catch (error) {
    removeAll(temporary);
    if (!isErrno(error, 'EEXIST')) throw renamePath(error, temporary, target);
    throw new ComposefsError('EEXIST', `${destination} exists already`, {
      hint: 'nothing is replaced: name what is not there yet',
    });
  }
  return extraction.result;
}

/** What cannot be made at the top is told by the name that it was to have, and not by the temporary one. */
function requireParent(target: string): void {
  if (statSync(dirname(target), { throwIfNoEntry: false })?.isDirectory() === true) return;
  throw new ComposefsError('ENOENT', `there is no directory ${dirname(target)} to extract to`);
}

interface Level {
  readonly fd: number;
  readonly entry: ImageEntry;
  readonly children: Iterator<Child>;
}

class Extraction {
  readonly result: ExtractResult = { entries: 0, bytes: 0, skippedXattrs: 0, skippedDevices: 0 };
  readonly #reader: ImageReader;
  readonly #readContent: ReadContent;
  readonly #top: string;
  readonly #owners: boolean;
  readonly #xattrs: boolean;
  readonly #signal: AbortSignal | undefined;
  readonly #report: (bytes: number) => void;
  /** Where the first name of an inode with several is. */
  readonly #firstNames = new Map<number, Buffer>();
  readonly #levels: Level[] = [];

  constructor(
    reader: ImageReader,
    readContent: ReadContent,
    top: string,
    options: ExtractOptions & { readonly target: string },
  ) {
    this.#reader = reader;
    this.#readContent = readContent;
    this.#top = top;
    this.#owners = options.owners ?? process.geteuid?.() === 0;
    this.#xattrs = options.xattrs ?? true;
    this.#signal = options.signal;
    const id = options.target;
    this.#report = (fetched) => options.progress?.report({ type: 'progress', id, fetched });
  }

  async write(found: Found): Promise<void> {
    const above = found.path.length;
    try {
      await this.#add(Buffer.from(this.#top), found, above);
      for (let level = this.#levels.at(-1); level !== undefined; level = this.#levels.at(-1)) {
        const next = level.children.next();
        if (next.done === true) {
          this.#levels.pop();
          this.#finish(Buffer.from(`${procPath(level.fd)}/.`), level.entry);
          closeSync(level.fd);
          continue;
        }
        const { parent, name, entry } = next.value;
        // By the descriptor, so that no path is too long.
        const path = Buffer.concat([Buffer.from(`${procPath(level.fd)}/`), byteStringToBuffer(name)]);
        await this.#add(path, { path: [...parent.path, name], entry }, above);
      }
    } finally {
      for (const { fd } of this.#levels) closeSync(fd);
    }
  }

  async #add(path: Buffer, found: Found, above: number): Promise<void> {
    this.#signal?.throwIfAborted();
    this.result.entries += 1;
    if (this.result.entries % ENTRIES_A_TURN === 0) {
      this.#report(this.result.bytes);
      await nextTurn();
    }
    const { entry } = found;
    const place = found.path.slice(above).map((name) => `/${name}`);
    await withContextAsync(`Extracting ${quoteBytes(`/${found.path.join('/')}` as ByteString)}`, async () => {
      if (isDirectory(entry)) return this.#enter(path, found);
      const name = Buffer.concat([Buffer.from(this.#top), Buffer.from(place.join(''), 'latin1')]);
      if (entry.inode.nlink > 1 && this.#link(path, entry, name)) return;
      if (await this.#make(path, entry)) this.#finish(path, entry);
    });
  }

  #enter(path: Buffer, found: Found): void {
    if (this.#levels.length >= MAX_TREE_DEPTH) throw depthExceeded();
    mkdirSync(path, 0o700);
    const { entry } = found;
    this.#levels.push({ fd: openSync(path, O_OPEN_DIRECTORY), entry, children: this.#reader.children(found) });
  }

  /** Makes one more name of an inode; false if this is its first one, or the other is too far away. */
  #link(path: Buffer, { inode }: ImageEntry, name: Buffer): boolean {
    const first = this.#firstNames.get(inode.nid);
    if (first === undefined) {
      this.#firstNames.set(inode.nid, name);
      return false;
    }
    try {
      linkSync(first, path);
      return true;
    } catch (error) {
      if (!isErrno(error, 'ENAMETOOLONG', 'EMLINK', 'ENOENT')) throw error;
      return false;
    }
  }

  /** @returns false if this user may not make it. */
  async #make(path: Buffer, entry: ImageEntry): Promise<boolean> {
    if (isFile(entry)) {
      await this.#writeFile(path, entry);
    } else if (isSymlink(entry)) {
      symlinkSync(byteStringToBuffer(this.#reader.target(entry)), path);
    } else {
      try {
        makeNode(path, (entry.mode & S_IFMT) | 0o600, entry.rdev);
      } catch (error) {
        if (!isErrno(error, 'EPERM')) throw error;
        this.result.skippedDevices += 1;
        return false;
      }
    }
    return true;
  }

  async #writeFile(path: Buffer, entry: ImageEntry): Promise<void> {
    const fd = openSync(path, O_CREATE_NEW, 0o600);
    try {
      if (isSparse(entry)) return ftruncateSync(fd, entry.size);
      for await (const chunk of this.#readContent(entry)) {
        this.#signal?.throwIfAborted();
        writeFully(fd, chunk);
        this.result.bytes += chunk.length;
        this.#report(this.result.bytes);
      }
    } finally {
      closeSync(fd);
    }
  }

  /** The owner first: whoever changes it takes away capabilities and set-user-id bits. */
  #finish(path: Buffer, entry: ImageEntry): void {
    const { inode, mode, xattrs } = entry;
    if (this.#owners) lchownSync(path, inode.uid, inode.gid);
    if (this.#xattrs) for (const [name, value] of xattrs) this.#setXattr(path, name, value);
    if (!isSymlink(entry)) chmodSync(path, mode & PERMISSIONS);
    setModificationTime(path, inode.mtimeSec, inode.mtimeNsec);
  }

  #setXattr(path: Buffer, name: ByteString, value: ByteString): void {
    try {
      setXattr(path, name, value);
    } catch (error) {
      if (!isErrno(error, 'EPERM', 'EACCES', 'EOPNOTSUPP', 'EINVAL')) throw error;
      this.result.skippedXattrs += 1;
    }
  }
}

/** What was finished may be closed to its owner. */
function removeAll(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch (error) {
    if (!isErrno(error, 'EACCES')) throw error;
    openUp(path);
    rmSync(path, { recursive: true, force: true });
  }
}

function openUp(path: string): void {
  chmodSync(path, 0o700);
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) openUp(join(path, entry.name));
  }
}
