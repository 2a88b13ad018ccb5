/** Reading dumpfiles in the form of composefs-rs (spec 30 §12). */

import { isUtf8 } from 'node:buffer';
import {
  type ByteString,
  byteStringToBuffer,
  byteStringToText,
  quoteBytes,
  sliceBytes,
} from '../../bytes/byte-string.js';
import { ContextError } from '../../errors.js';
import type { Steps } from '../../threads/turns.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import { objectIdFromPathname, objectPathname, parseObjectId } from '../fsverity/object-id.js';
import { Directory, Leaf, type LeafContent, type RegularFile } from '../tree/inode.js';
import { splitPathMut } from '../tree/lookup.js';
import { type Stat, UNINITIALIZED_STAT } from '../tree/stat.js';
import { countLinks } from '../tree/walk.js';
import { DumpfileError } from './dumpfile-error.js';
import { type DumpEntry, type DumpItem, newXattrCache, parseDumpEntry } from './entry.js';
import { dumpLines } from './lines.js';
import type { XattrCache } from './xattr-cache.js';

/**
 * The tree that a dumpfile describes.
 *
 * @throws DumpfileError or another ComposefsError: strictly what the reference refuses too, and numbers beyond 2^53 - 1.
 */
export function* dumpfileSteps(bytes: Uint8Array, algorithm: HashAlgorithm): Steps<Directory> {
  if (!isUtf8(bytes)) throw new DumpfileError('The dumpfile is not valid UTF-8');
  const builder = yield* treeSteps(bytes, algorithm, false);
  if (!builder.hasReplaced) return builder.root;
  // Few dumpfiles have several lines for a path, and only of those must all leaves be told apart.
  const { root, leaves } = yield* treeSteps(bytes, algorithm, true);
  checkOrphans(root, leaves);
  return root;
}

function* treeSteps(bytes: Uint8Array, algorithm: HashAlgorithm, keepsLeaves: boolean): Steps<TreeBuilder> {
  const builder = new TreeBuilder(algorithm, keepsLeaves);
  const xattrCache = newXattrCache();
  for (const rawLine of dumpLines(bytes)) {
    yield;
    const line = rawLine.endsWith('\r') ? sliceBytes(rawLine, 0, -1) : rawLine;
    if (BLANK.test(line)) continue;
    builder.add(parseLine(line, xattrCache));
  }
  builder.finish();
  return builder;
}

/** The reference keeps replaced leaves in its table and refuses to make an image of such a tree. */
function checkOrphans(root: Directory, leaves: readonly Leaf[]): void {
  const links = countLinks(root);
  const orphans = leaves.flatMap((leaf, index) => (links.has(leaf) ? [] : [index]));
  if (orphans.length === 0) return;
  throw new DumpfileError(`invalid composefs filesystem: Orphaned leaves at indices [${orphans.join(', ')}]`);
}

/** Nothing but Unicode's white space, in UTF-8. */
const BLANK = /^(?:[\t-\r ]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80)*$/;

function parseLine(line: ByteString, xattrCache: XattrCache): DumpEntry {
  try {
    return parseDumpEntry(line, xattrCache);
  } catch (cause) {
    throw new ContextError(`Failed to parse dumpfile line: ${byteStringToText(line)}`, cause);
  }
}

class TreeBuilder {
  readonly root = new Directory(UNINITIALIZED_STAT);
  /** Every leaf made, in order, if they are kept. */
  readonly leaves: Leaf[] = [];
  hasReplaced = false;
  readonly #algorithm: HashAlgorithm;
  readonly #keepsLeaves: boolean;
  #hasRoot = false;
  /** Directories by path, the root as ''. Emptied when an entry is replaced; what is missing is walked to. */
  readonly #directories = new Map<string, Directory>();
  /** The parent of the last line, which mostly is that of the next. */
  #last: { readonly path: string; readonly directory: Directory } | undefined;

  constructor(algorithm: HashAlgorithm, keepsLeaves: boolean) {
    this.#algorithm = algorithm;
    this.#keepsLeaves = keepsLeaves;
  }

  add(entry: DumpEntry): void {
    const { path } = entry;
    if (!this.#hasRoot && path !== '/') {
      throw new DumpfileError(`Dumpfile must start with root directory entry, found: ${quoteBytes(path)}`);
    }
    if (path === '/') {
      this.root.stat = statOf(entry);
      this.#hasRoot = true;
      return;
    }
    const slash = path.lastIndexOf('/');
    const name = sliceBytes(path, slash + 1);
    const { item } = entry;
    const stat = statOf(entry);
    let isNew: boolean;
    if (item.type === 'directory') {
      const directory = new Directory(stat);
      isNew = this.#parent(path, slash).insert(name, directory);
      if (isNew) this.#directories.set(path, directory);
    } else if (item.type === 'hardlink') {
      const target = this.#linkTarget(item.target);
      isNew = this.#parent(path, slash).insert(name, target);
    } else {
      const content = leafContent(item, this.#algorithm);
      if (item.type === 'character-device' && item.rdev === 0 && entry.nlink > 1) {
        throw new DumpfileError(`invalid dumpfile: whiteout entry ${quoteBytes(entry.path)} has nlink > 1`);
      }
      isNew = this.#insertLeaf(this.#parent(path, slash), name, stat, content);
    }
    if (isNew) return;
    this.hasReplaced = true;
    this.#directories.clear();
    this.#last = undefined;
  }

  finish(): void {
    if (!this.#hasRoot) throw new DumpfileError('Dumpfile is empty, expected root directory entry');
  }

  #insertLeaf(directory: Directory, name: ByteString, stat: Stat, content: LeafContent): boolean {
    if (!this.#keepsLeaves) return directory.insertLeaf(name, stat, content);
    const leaf = new Leaf(stat, content);
    this.leaves.push(leaf);
    return directory.insert(name, leaf);
  }

  #linkTarget(path: ByteString): Leaf {
    const slash = path.lastIndexOf('/');
    const target = this.#directory(path.slice(0, slash))?.lookup(sliceBytes(path, slash + 1));
    if (!(target instanceof Leaf)) throw new DumpfileError(`Hardlink target not found: ${quoteBytes(path)}`);
    return target;
  }

  /** The directory of an entry whose name follows the slash. */
  #parent(entryPath: ByteString, slash: number): Directory {
    const path = entryPath.slice(0, slash);
    if (this.#last?.path === path) return this.#last.directory;
    const directory = this.#directory(path) ?? this.#noParent(entryPath);
    this.#last = { path, directory };
    return directory;
  }

  #noParent(path: ByteString): never {
    const message = `Parent directory not found: ${quoteBytes(path)}`;
    try {
      splitPathMut(this.root, path);
    } catch (cause) {
      throw new DumpfileError(message, { cause });
    }
    throw new DumpfileError(message);
  }

  #directory(path: string): Directory | undefined {
    if (path === '') return this.root;
    return this.#directories.get(path) ?? walkTo(this.root, path);
  }
}

function walkTo(root: Directory, path: string): Directory | undefined {
  let directory = root;
  for (const name of path.slice(1).split('/') as ByteString[]) {
    const child = directory.lookup(name);
    if (!(child instanceof Directory)) return undefined;
    directory = child;
  }
  return directory;
}

function statOf({ mode, uid, gid, mtimeSec, mtimeNsec, xattrs }: DumpEntry): Stat {
  if (mtimeNsec >= 1_000_000_000) {
    throw new DumpfileError(`Invalid mtime nanoseconds: ${mtimeNsec} (must be < 1_000_000_000)`);
  }
  return { mode: mode & 0o7777, uid, gid, mtimeSec, mtimeNsec, xattrs };
}

type LeafItem = Exclude<DumpItem, { type: 'directory' | 'hardlink' }>;

function leafContent(item: LeafItem, algorithm: HashAlgorithm): LeafContent {
  switch (item.type) {
    case 'inline':
    case 'object':
      return { type: 'regular', file: regularFile(item, algorithm) };
    case 'symlink':
      return { type: 'symlink', target: item.target };
    case 'block-device':
    case 'character-device':
      return { type: item.type, rdev: item.rdev };
    case 'fifo':
    case 'socket':
      return { type: item.type };
  }
}

function regularFile(item: Extract<LeafItem, { type: 'inline' | 'object' }>, algorithm: HashAlgorithm): RegularFile {
  const { size } = item;
  if (item.type === 'inline') {
    if (item.data === '' && size > 0) return { storage: 'sparse', size };
    return { storage: 'inline', data: byteStringToBuffer(item.data) };
  }
  if (item.digest !== undefined) return { storage: 'external', id: parseObjectId(algorithm, item.digest), size };
  return { storage: 'external-no-verity', payload: objectPayload(item.payload, algorithm), size };
}

function objectPayload(payload: ByteString, algorithm: HashAlgorithm): ByteString {
  try {
    return objectPathname(objectIdFromPathname(algorithm, payload)) as ByteString;
  } catch (cause) {
    throw new DumpfileError(`invalid object pathname: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}
