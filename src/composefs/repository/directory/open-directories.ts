import { lstatSync, type Stats } from 'node:fs';
import { isErrno } from '../../../fs/files.js';
import type { OpenDirectory } from '../../../linux/open-beneath.js';
import { descriptorLimit } from '../../../linux/process.js';

const IF_THERE = { throwIfNoEntry: false } as const;

/** Directories are kept open as long as no more than this part of the process's descriptors is in use. */
const SHARE_OF_DESCRIPTORS = 3 / 8;

/** How a directory of a repository is reached anew: a {@link RepositoryRoot}. */
export interface DirectoryWay {
  /** Undefined if there is none. */
  findDirectory(path: string): OpenDirectory | undefined;
  withinOpen<T>(fd: number, directory: string, action: (self: string) => T): T;
  within<T>(directory: string, action: (self: string) => T): T;
}

/**
 * Directories of a repository that were reached once and stay open: to reach one anew for each of 10,000 objects takes
 * longer than to name them.
 */
export class OpenDirectories {
  readonly #root: DirectoryWay;
  readonly #open = new Map<string, OpenDirectory>();
  /** Those that were missing when somebody looked for something in them. */
  readonly #missing = new Set<string>();
  readonly #maxFd = descriptorLimit() * SHARE_OF_DESCRIPTORS;

  constructor(root: DirectoryWay) {
    this.#root = root;
  }

  /** As {@link RepositoryRoot.within}. */
  within<T>(directory: string, action: (self: string) => T): T {
    const open = this.#open.get(directory) ?? this.#reach(directory);
    // Not there, or too many are open.
    if (open === undefined) {
      this.#missing.delete(directory);
      return this.#root.within(directory, action);
    }
    try {
      return this.#root.withinOpen(open.fd, directory, action);
    } catch (error) {
      // Somebody has removed it: the next time it is looked for again.
      if (isErrno(error, 'ENOENT')) this.#forget(directory, open);
      throw error;
    }
  }

  /** Whether there is such a directory, or was when it was reached. @throws UnsafePathError */
  has(directory: string): boolean {
    if (this.#open.has(directory)) return true;
    const open = this.#root.findDirectory(directory);
    if (open !== undefined) this.#keep(directory, open);
    return open !== undefined;
  }

  /**
   * What is at `directory/name` of a directory; undefined if there is no such thing. Most objects of a pull are new, and in
   * a new repository their directories are missing as well: an exception takes longer than to write a small file, and even
   * to look for each costs a tenth of that. So a directory that was missing is taken to be until this thread reaches it: who
   * gives a file a name in it.
   *
   * @throws ENOENT if `parent` is missing; UnsafePathError
   */
  lstat(parent: string, directory: string, name: string): Stats | undefined {
    const path = `${parent}/${directory}`;
    if (!this.#open.has(path)) {
      if (this.#missing.has(path)) return undefined;
      // Not all can stay open: one that is there is looked at again on the safe way.
      const isThere = this.within(parent, (self) => lstatSync(`${self}/${directory}`, IF_THERE) !== undefined);
      if (!isThere) {
        this.#missing.add(path);
        return undefined;
      }
    }
    return this.within(path, (self) => lstatSync(`${self}/${name}`, IF_THERE));
  }

  /** Undefined also if it does not stay open. */
  #reach(directory: string): OpenDirectory | undefined {
    const open = this.#root.findDirectory(directory);
    return open !== undefined && this.#keep(directory, open) ? open : undefined;
  }

  #keep(directory: string, open: OpenDirectory): boolean {
    this.#missing.delete(directory);
    const isKept = open.fd <= this.#maxFd;
    if (isKept) this.#open.set(directory, open);
    else open.close();
    return isKept;
  }

  #forget(directory: string, open: OpenDirectory): void {
    this.#open.delete(directory);
    open.close();
  }

  close(): void {
    for (const open of this.#open.values()) open.close();
    this.#open.clear();
  }
}
