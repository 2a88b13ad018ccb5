import { type ByteString, quoteBytes, sliceBytes } from '../../bytes/byte-string.js';
import { ImageError } from '../../composefs/tree/image-error.js';
import { Directory, Leaf } from '../../composefs/tree/inode.js';
import { getLeaf } from '../../composefs/tree/lookup.js';
import { fileName } from '../../composefs/tree/path.js';
import { cleanPath, PathResolver } from '../../composefs/tree/resolve.js';
import { DEFAULT_DIRECTORY_STAT } from '../../composefs/tree/stat.js';
import { ComposefsError, findCause, withContext } from '../../errors.js';
import { LayerDifferences } from './layer-rules.js';
import { OwnEntries } from './own-entries.js';
import type { TarEntry, TarItem } from './tar-entry.js';

export const WHITEOUT_PREFIX = '.wh.';
export const OPAQUE_WHITEOUT = '.wh..wh..opq';

/** What AUFS, the first storage of Docker, left at the top of its layers: nothing of it is the image's. */
const AUFS_PREFIX = '/.wh..wh.';
/** There AUFS kept the inodes of hard links under other names, and entries of its layers link to them. */
const AUFS_LINKS = '/.wh..wh.plnk/';

const DEFAULT_LINK_STAT = { ...DEFAULT_DIRECTORY_STAT, mode: 0o777 };

/** How many directories may be without an entry of their own: one path can ask for thousands. */
const IMPLIED_MAX = 500_000;

/** What makes a tree of layers. */
export interface Applier {
  /** What comes now is of the next layer. */
  startLayer(diffId: string): void;
  /** @throws ContextError over an {@link ImageError} */
  apply(entry: TarEntry): void;
}

/**
 * Applies one entry to a tree, as a layer of its own.
 *
 * @throws ContextError over an {@link ImageError}
 */
export function processEntry(root: Directory, entry: TarEntry): void {
  new LayerApplier(root).apply(entry);
}

/** The directory that a path without its last component led to. */
interface Place {
  readonly path: string;
  readonly chain: readonly Directory[];
  readonly directory: Directory;
}

/**
 * Applies the entries of layers to a tree, which nobody else changes meanwhile, as umoci and podman do (image-spec,
 * layer.md): whiteouts remove what lower layers have; parents that are missing are made, and those that are symlinks
 * followed, inside the tree; `..` takes back what the path says before it.
 */
export class LayerApplier implements Applier {
  readonly #root: Directory;
  readonly #differences: LayerDifferences;
  readonly #resolver: PathResolver;
  #own: OwnEntries;
  /** The inodes of {@link AUFS_LINKS} in this layer. */
  #aufsLinks = new Map<ByteString, Leaf>();
  /** Most entries have the parent of the one before. */
  #last: Place | undefined;
  #implied = 0;
  readonly #showsLayer: boolean;

  /**
   * @param options.showLayer makes the tree of one layer as it is: whiteouts are files of their names, and a hard link to
   * what only a lower layer has is a symlink to it.
   */
  constructor(
    root: Directory,
    differences: LayerDifferences = new LayerDifferences(),
    options: { readonly showLayer?: boolean } = {},
  ) {
    this.#showsLayer = options.showLayer === true;
    this.#root = root;
    this.#differences = differences;
    this.#resolver = new PathResolver(root);
    this.#own = new OwnEntries(root);
  }

  startLayer(diffId: string): void {
    this.#differences.startLayer(diffId);
    this.#own = new OwnEntries(this.#root);
    this.#aufsLinks = new Map();
  }

  apply(entry: TarEntry): void {
    for (const difference of entry.differences ?? []) this.#differences.add(difference, entry.path);
    withContext('Processing tar entry', () => this.#apply(entry));
  }

  #apply(entry: TarEntry): void {
    const path = plainPath(entry.path);
    if (path === '') {
      this.#applyRoot(entry);
      return;
    }
    const name = sliceBytes(path, path.lastIndexOf('/') + 1);
    if (entry.item.type === 'directory' && path !== entry.path) this.#noteDots(entry.path);
    if (!this.#showsLayer && path.includes(AUFS_PREFIX) && this.#applyAufs(path, entry)) return;
    if (!this.#showsLayer && name.startsWith(WHITEOUT_PREFIX)) this.#applyWhiteout(path, name);
    else this.#insert(path, name, entry);
  }

  #applyRoot({ path, stat, item }: TarEntry): void {
    if (item.type !== 'directory') {
      const message = `Unpacking layer tar: filename ${quoteBytes(path)} must be a directory`;
      throw new ComposefsError('INVALID_LAYER', message);
    }
    this.#root.stat = stat;
  }

  /** `usr/bin/..` is for `usr`. */
  #noteDots(path: ByteString): void {
    if (fileName(path) === undefined) this.#differences.add('dotted-directory', path);
  }

  #insert(path: ByteString, name: ByteString, entry: TarEntry): void {
    withContext(
      () => `Error unpacking container layer file ${quoteBytes(entry.path)} ${describe(entry.item)}`,
      () => {
        const link = entry.item.type === 'hardlink' ? this.#linkTarget(entry.item) : undefined;
        this.#put(this.#makeParent(checkName(path), name), name, entry, link);
      },
    );
  }

  #put({ chain, directory }: Place, name: ByteString, { stat, item }: TarEntry, link: Leaf | undefined): void {
    this.#own.addChain(chain);
    if (item.type !== 'directory') {
      if (item.type === 'leaf') directory.insertLeaf(name, stat, item.content);
      else if (link !== undefined) directory.insert(name, link);
      this.#own.addLeaf(directory, name);
      return;
    }
    const existing = directory.child(name);
    if (existing instanceof Directory) {
      existing.stat = stat;
      this.#own.addDirectory(existing, 'before');
    } else {
      const made = new Directory(stat);
      directory.insert(name, made);
      this.#own.addDirectory(made, 'now');
    }
  }

  /** Whatever a whiteout cannot reach is not there: umoci writes `d/.wh.x` after the file `d` replaced the directory. */
  #applyWhiteout(path: ByteString, name: ByteString): void {
    const directory = this.#findParent(path, name)?.directory;
    if (directory === undefined) return;
    if (name === OPAQUE_WHITEOUT) {
      this.#own.clearLower(directory);
      if (directory.size > 0) this.#differences.add('own-layer-whiteout', path);
    } else {
      const removed = sliceBytes(name, WHITEOUT_PREFIX.length);
      this.#own.removeLower(directory, removed);
      if (directory.child(removed) !== undefined) this.#differences.add('own-layer-whiteout', path);
    }
  }

  /** Skips what AUFS left, as podman does, and remembers what other entries may link to. False: it is something else. */
  #applyAufs(path: ByteString, { item, stat }: TarEntry): boolean {
    if (!path.startsWith(AUFS_PREFIX) || path === `/${OPAQUE_WHITEOUT}`) return false;
    if (path.startsWith(AUFS_LINKS) && item.type === 'leaf') {
      this.#aufsLinks.set(sliceBytes(path, path.lastIndexOf('/') + 1), new Leaf(stat, item.content));
    }
    return true;
  }

  /** A hard link is resolved now: later changes to its target do not concern it. */
  #linkTarget(item: TarItem & { type: 'hardlink' }): Leaf {
    return this.#showsLayer ? this.#linkedOrNamed(item) : this.#linked(item);
  }

  #linkedOrNamed(item: TarItem & { type: 'hardlink' }): Leaf {
    try {
      return this.#linked(item);
    } catch (error) {
      if (findCause(error, ImageError) === undefined) throw error;
      return new Leaf(DEFAULT_LINK_STAT, { type: 'symlink', target: item.target });
    }
  }

  #linked(item: TarItem & { type: 'hardlink' }): Leaf {
    const target = plainPath(item.target);
    if (target === '') throw new ImageError('is-a-directory', item.target);
    const name = sliceBytes(target, target.lastIndexOf('/') + 1);
    if (target.startsWith(AUFS_LINKS)) {
      const leaf = this.#aufsLinks.get(name);
      if (leaf === undefined) throw new ImageError('not-found', item.target);
      // Docker and podman make each of the links a file of its own.
      return new Leaf(leaf.stat, leaf.content);
    }
    const { chain, missing } = this.#resolver.directory(sliceBytes(target, 0, target.length - name.length));
    if (missing.length > 0) throw new ImageError('not-found', item.target);
    return getLeaf(chain[chain.length - 1] as Directory, name);
  }

  /** @returns undefined if it is not there. */
  #findParent(path: ByteString, name: ByteString): Place | undefined {
    const parentPath = sliceBytes(path, 0, path.length - name.length);
    if (this.#last?.path === parentPath) return this.#last;
    try {
      const { chain, missing, followedLinks } = this.#resolver.directory(parentPath);
      if (missing.length > 0) return undefined;
      return this.#remember(parentPath, chain, followedLinks);
    } catch (error) {
      if (findCause(error, ImageError)?.kind === 'not-a-directory') return undefined;
      throw error;
    }
  }

  #makeParent(path: ByteString, name: ByteString): Place {
    const parentPath = sliceBytes(path, 0, path.length - name.length);
    if (this.#last?.path === parentPath) return this.#last;
    const { chain, missing, followedLinks } = this.#resolver.directory(parentPath);
    const made = this.#makeMissing(chain, missing);
    return this.#remember(parentPath, made, followedLinks);
  }

  #makeMissing(chain: readonly Directory[], missing: readonly ByteString[]): readonly Directory[] {
    if (missing.length === 0) return chain;
    this.#implied += missing.length;
    if (this.#implied > IMPLIED_MAX) {
      throw new ComposefsError('INVALID_LAYER', `More than ${IMPLIED_MAX} directories have no entries of their own`);
    }
    this.#own.addChain(chain);
    const made = [...chain];
    for (const name of missing) {
      const directory = new Directory(DEFAULT_DIRECTORY_STAT);
      made.at(-1)?.insert(checkName(name), directory);
      this.#own.addDirectory(directory, 'now');
      made.push(directory);
    }
    return made;
  }

  /** An entry does not change what leads to its own parent, unless a symlink on the way leads through the entry. */
  #remember(path: string, chain: readonly Directory[], followedLinks: boolean): Place {
    const place = { path, chain, directory: chain[chain.length - 1] as Directory };
    this.#last = followedLinks ? undefined : place;
    return place;
  }
}

/** The path of an entry, cleaned; mostly it is clean. */
function plainPath(path: ByteString): ByteString {
  return path.includes('/.') || path.includes('//') ? cleanPath(path) : path;
}

/** Names end at a NUL for the kernel, so two names of the tree could become the same one. PAX allows NULs. */
export function checkName(path: ByteString): ByteString {
  if (path.includes('\0')) throw new ImageError('invalid-filename', path);
  return path;
}

function describe(item: TarItem): string {
  return item.type === 'leaf' ? item.content.type : item.type;
}
