/** Reading dumpfiles as the C tools do: `mkcomposefs --from-file` (spec 30 §13.2). */

import {
  type ByteString,
  byteStringToBuffer,
  byteStringToText,
  sliceBytes,
  splitBytes,
} from '../../bytes/byte-string.js';
import { ComposefsError } from '../../errors.js';
import { NAME_MAX, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFSOCK } from '../../linux/constants.js';
import { DumpfileError } from '../dumpfile/dumpfile-error.js';
import { dumpLinesOfPieces, piecesOf } from '../dumpfile/lines.js';
import { type ObjectId, objectPathname, parseObjectId } from '../fsverity/object-id.js';
import { Directory, type Inode, Leaf, type LeafContent, type RegularFile } from '../tree/inode.js';
import { OriginLeaf } from '../tree/origin-leaf.js';
import { isDots } from '../tree/path.js';
import { UNINITIALIZED_STAT } from '../tree/stat.js';
import type { U64 } from './c-integer.js';
import {
  type CLineBody,
  type CLineHead,
  type CLineOptions,
  newCXattrCache,
  parseCBody,
  parseCHead,
  parseCLinkTarget,
} from './c-line.js';

export interface CDumpfileOptions {
  /** What the environment variable `CFS_PARSE_STRICT` asks of the C tools. Default false. */
  readonly strict?: boolean;
}

/**
 * The tree that a dumpfile describes to the C tools, each leaf with several names an {@link OriginLeaf}. Digests are
 * SHA-256.
 *
 * Three things are refused that C does not notice: malformed digests, of which it takes undefined bytes; hard links to
 * directories, which no tree can hold; files larger than 2^53 - 1 bytes, which it refuses when it writes the image.
 *
 * @throws DumpfileError with the messages of mkcomposefs.
 */
export function parseCDumpfile(bytes: Uint8Array, options: CDumpfileOptions = {}): Directory {
  return parseCDumpfilePieces(piecesOf(bytes), options);
}

/** {@link parseCDumpfile} of a file that comes in pieces, each of a length that a string can have. */
export function parseCDumpfilePieces(pieces: Iterable<Uint8Array>, options: CDumpfileOptions = {}): Directory {
  const strict = options.strict ?? false;
  const builder = new CTreeBuilder(strict);
  const lines = dumpLinesOfPieces(pieces, {
    limit: { length: LINE_MAX, onExceeded: lineTooLong },
    ...(strict && { onUnterminated: missingNewline }),
  });
  for (const line of lines) builder.add(parseCHead(line));
  return builder.finish();
}

/** Far beyond what any inode needs. C has no limit but the memory. */
const LINE_MAX = 16 * 1024 * 1024;

function lineTooLong(): never {
  throw new DumpfileError(`Line longer than ${LINE_MAX} bytes`);
}

function missingNewline(): never {
  throw new DumpfileError('Missing trailing newline');
}

interface PendingLink {
  readonly directory: Directory;
  readonly name: ByteString;
  readonly path: ByteString;
  readonly target: ByteString | undefined;
}

class CTreeBuilder {
  readonly #options: CLineOptions;
  #root: Directory | undefined;
  /** The hard links, by the leaf that keeps their place until all lines are read: targets may come later. */
  readonly #links = new Map<Leaf, PendingLink>();
  /** What the parent part of a path, as it stands in the file, was found to lead to. Entries never go away. */
  readonly #parents = new Map<string, Directory>();
  /** The last of these, which mostly is also the next. */
  #last: { readonly key: string; readonly directory: Directory } | undefined;

  constructor(strict: boolean) {
    this.#options = { strict, xattrCache: newCXattrCache() };
  }

  add(head: CLineHead): void {
    if (head.path === '/') this.#addRoot(head);
    else this.#addChild(head);
  }

  finish(): Directory {
    if (this.#root === undefined) throw new DumpfileError('No files in dump file');
    for (const link of this.#links.values()) this.#resolve(this.#root, link);
    return this.#root;
  }

  #addRoot(head: CLineHead): void {
    if ((head.mode & S_IFMT) !== S_IFDIR) throw new DumpfileError('Root must be a directory');
    if (this.#root !== undefined) throw new DumpfileError("Can't have multiple roots");
    if (head.isHardlink) throw directoryLink();
    this.#root = new Directory(parseCBody(head, this.#options).stat);
  }

  #addChild(head: CLineHead): void {
    const { path } = head;
    const slash = path.lastIndexOf('/');
    const directory = this.#parent(path, slash);
    const name = sliceBytes(path, slash + 1);
    if (isDots(name)) throw new DumpfileError(`Invalid . or .. in path: ${byteStringToText(path)}`);
    if (name === '' || name.length > NAME_MAX || directory.lookup(name) !== undefined) {
      throw new DumpfileError("Can't add child");
    }
    if ((head.mode & S_IFMT) === S_IFDIR) {
      if (head.isHardlink) throw directoryLink();
      directory.insert(name, new Directory(parseCBody(head, this.#options).stat));
    } else if (head.isHardlink) {
      // Its target may come later in the file: {@link finish} puts that in its place.
      const link = new Leaf(UNINITIALIZED_STAT, { type: 'fifo' });
      directory.insert(name, link);
      this.#links.set(link, { directory, name, path, target: parseCLinkTarget(head) });
    } else {
      const body = parseCBody(head, this.#options);
      const content = leafContent(head.mode, body);
      // Most lines tell all that there is to know of a leaf.
      if (body.nlink === 1) directory.insertLeaf(name, body.stat, content);
      else directory.insert(name, new OriginLeaf(body.stat, content, directory, name, body.nlink));
    }
  }

  /** The directory in which a new entry goes. Leading slashes are optional, repeated ones count once. */
  #parent(path: ByteString, slash: number): Directory {
    if (this.#root === undefined) throw new DumpfileError('Root node not present');
    const key = slash < 0 ? '' : path.slice(0, slash);
    if (this.#last?.key === key) return this.#last.directory;
    const directory = this.#parents.get(key) ?? this.#findParent(this.#root, path, key);
    this.#last = { key, directory };
    return directory;
  }

  #findParent(root: Directory, path: ByteString, key: string): Directory {
    const inode = lookupPath(root, key as ByteString);
    if (inode === undefined) throw new DumpfileError(`Parent directory missing for ${byteStringToText(path)}`);
    if (!(inode instanceof Directory)) {
      throw new DumpfileError(`Parent must be a directory for ${byteStringToText(path)}`);
    }
    this.#parents.set(key, inode);
    return inode;
  }

  /** Puts the target in the place of a link, and of the links on the way to it: chains are followed only once. */
  #resolve(root: Directory, first: PendingLink): void {
    const followed = new Set<PendingLink>();
    let link = first;
    for (;;) {
      if (followed.has(link)) throw linkCycle();
      followed.add(link);
      if (link.target === undefined) throw new DumpfileError('No target path for the hardlink');
      const target = lookupPath(root, link.target);
      if (target === undefined) throw new DumpfileError(`No target at ${byteStringToText(link.target)} for hardlink`);
      if (target instanceof Directory) throw directoryLink();
      const next = this.#links.get(target);
      if (next === link) throw new DumpfileError(`Self-referential hardlink ${byteStringToText(link.path)}`);
      if (next === undefined) {
        const leaf = target instanceof OriginLeaf ? target : originLeaf(root, link.target, target);
        for (const { directory, name } of followed) directory.insert(name, leaf);
        return;
      }
      link = next;
    }
  }
}

/** Puts a leaf that turns out to have more names than its line declares in the place of what is at its path. */
function originLeaf(root: Directory, path: ByteString, { stat, content }: Leaf): OriginLeaf {
  const components = componentsOf(path);
  const name = components.pop();
  const directory = lookup(root, components);
  if (name === undefined || !(directory instanceof Directory)) throw new Error(`no leaf at ${path}`);
  const leaf = new OriginLeaf(stat, content, directory, name, 1);
  directory.insert(name, leaf);
  return leaf;
}

/** Empty components do not count; `.` and `..` are names that nothing has. */
function lookupPath(root: Directory, path: ByteString): Inode | undefined {
  return lookup(root, componentsOf(path));
}

function lookup(root: Directory, components: readonly ByteString[]): Inode | undefined {
  let inode: Inode | undefined = root;
  for (const name of components) {
    if (!(inode instanceof Directory)) return undefined;
    inode = inode.lookup(name);
  }
  return inode;
}

function componentsOf(path: ByteString): ByteString[] {
  return splitBytes(path, '/').filter((name) => name !== '');
}

function leafContent(mode: number, body: CLineBody): LeafContent {
  switch (mode & S_IFMT) {
    case S_IFLNK:
      return { type: 'symlink', target: body.payload ?? ('' as ByteString) };
    case S_IFBLK:
      return { type: 'block-device', rdev: body.rdev };
    case S_IFCHR:
      return { type: 'character-device', rdev: body.rdev };
    case S_IFIFO:
      return { type: 'fifo' };
    case S_IFSOCK:
      return { type: 'socket' };
    default:
      return { type: 'regular', file: regularFile(body) };
  }
}

/** Content wins over a payload, and a file of size 0 is just empty (spec 20 §16.8). An empty payload is none. */
function regularFile(body: CLineBody): RegularFile {
  const { payload = '' as ByteString, content, digest } = body;
  if (content !== undefined) return { storage: 'inline', data: byteStringToBuffer(content) };
  const size = fileSizeOf(body.size);
  if (size === 0) return { storage: 'inline', data: Buffer.alloc(0) };
  if (digest !== undefined) {
    const id = parseDigest(digest);
    const isUsual = payload === objectPathname(id);
    return isUsual ? { storage: 'external', id, size } : { storage: 'external', id, size, payload };
  }
  return payload === '' ? { storage: 'sparse', size } : { storage: 'external-no-verity', payload, size };
}

function fileSizeOf(size: U64): number {
  if (size > Number.MAX_SAFE_INTEGER) throw new ComposefsError('EFBIG', 'cannot write file: File too large');
  return Number(size);
}

function parseDigest(digest: ByteString): ObjectId {
  try {
    return parseObjectId('sha256', digest);
  } catch {
    throw new DumpfileError(`Invalid digest ${byteStringToText(digest)}`);
  }
}

function directoryLink(): DumpfileError {
  return new DumpfileError("Directories can't be hardlinked");
}

function linkCycle(): ComposefsError {
  return new ComposefsError('ELOOP', 'cannot write file: Too many levels of symbolic links');
}
