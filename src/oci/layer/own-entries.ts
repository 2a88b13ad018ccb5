import type { ByteString } from '../../bytes/byte-string.js';
import { Directory } from '../../composefs/tree/inode.js';
import { clearTree } from '../../composefs/tree/walk.js';

/**
 * Which entries of a tree the layer that is being applied has brought, and which were there before: whiteouts remove
 * the latter only (image-spec, layer.md, "Whiteouts"), wherever they stand in their layer.
 *
 * A directory that leads to an entry of the layer is its own as well, as it must stay. A directory that holds nothing of
 * lower layers is remembered as such, so that none is searched twice.
 */
export class OwnEntries {
  /** Directories that the layer has an entry for or in; with each of them its parents. */
  readonly #directories = new Set<Directory>();
  /** Directories in which everything is the layer's own, now and later. */
  readonly #whole = new Set<Directory>();
  /** The other entries, where the directory is not whole. */
  readonly #leaves = new Map<Directory, Set<ByteString>>();

  constructor(root: Directory) {
    if (root.size === 0) this.#whole.add(root);
  }

  /** The layer brings something into the last of these directories, which lead there from the root. */
  addChain(chain: readonly Directory[]): void {
    for (let index = chain.length - 1; index >= 0; index--) {
      const directory = chain[index];
      if (directory === undefined || this.#directories.has(directory)) return;
      this.#directories.add(directory);
    }
  }

  /** An entry for a directory below an own one. */
  addDirectory(directory: Directory, made: 'now' | 'before'): void {
    this.#directories.add(directory);
    if (made === 'now') this.#whole.add(directory);
  }

  /** An entry for anything else in an own directory. */
  addLeaf(parent: Directory, name: ByteString): void {
    if (this.#whole.has(parent)) return;
    const names = this.#leaves.get(parent);
    if (names === undefined) this.#leaves.set(parent, new Set([name]));
    else names.add(name);
  }

  /** Removes what lower layers have at this name and below. */
  removeLower(parent: Directory, name: ByteString): void {
    if (!this.#whole.has(parent)) this.#removeLower(parent, name, this.#leaves.get(parent), this.clearLower);
  }

  /** Removes what lower layers have in a directory. */
  readonly clearLower = (root: Directory): void => {
    const pending = [root];
    for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
      if (this.#whole.has(directory)) continue;
      const leaves = this.#leaves.get(directory);
      for (const name of directory.names()) {
        this.#removeLower(directory, name, leaves, (child) => pending.push(child));
      }
      this.#whole.add(directory);
      this.#leaves.delete(directory);
    }
  };

  #removeLower(
    parent: Directory,
    name: ByteString,
    ownLeaves: ReadonlySet<ByteString> | undefined,
    clear: (directory: Directory) => unknown,
  ): void {
    const child = parent.child(name);
    if (child === undefined) return;
    if (child instanceof Directory && this.#directories.has(child)) {
      clear(child);
    } else if (child instanceof Directory) {
      parent.remove(name);
      clearTree(child);
    } else if (ownLeaves?.has(name) !== true) {
      parent.remove(name);
    }
  }
}
