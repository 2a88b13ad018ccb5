import { closeSync, lstatSync, type Stats } from 'node:fs';
import { isErrno } from '../../../fs/files.js';
import { descriptorLimit } from '../../../linux/process.js';

const IF_THERE = { throwIfNoEntry: false } as const;

/** Directories are kept open as long as no more than this part of the process's descriptors is in use. */
const SHARE_OF_DESCRIPTORS = 3 / 8;

/** How a directory of a repository is reached anew: a {@link RepositoryRoot}. */
export interface DirectoryWay {
  openDirectory(path: string): number;
  withinOpen<T>(fd: number, directory: string, action: (self: string) => T): T;
  within<T>(directory: string, action: (self: string) => T): T;
}

/**
 * Directories of a repository that were reached once and stay open: to reach one anew for each of 10,000 objects takes
 * longer than to name them.
 */
export class OpenDirectories {
  readonly #root: DirectoryWay;
  readonly #fds = new Map<string, number>();
  readonly #maxFd = descriptorLimit() * SHARE_OF_DESCRIPTORS;

  constructor(root: DirectoryWay) {
    this.#root = root;
  }

  /** As {@link RepositoryRoot.within}. */
  within<T>(directory: string, action: (self: string) => T): T {
    const known = this.#fds.get(directory);
    if (known !== undefined) {
      try {
        return this.#root.withinOpen(known, directory, action);
      } catch (error) {
        // Somebody has removed it: the next time it is looked for again.
        if (isErrno(error, 'ENOENT')) this.#forget(directory, known);
        throw error;
      }
    }
    const fd = this.#root.openDirectory(directory);
    if (fd <= this.#maxFd) {
      this.#fds.set(directory, fd);
      return this.#root.withinOpen(fd, directory, action);
    }
    closeSync(fd);
    return this.#root.within(directory, action);
  }

  /**
   * What is at `directory/name` of a directory; undefined if there is no such thing. Most objects of a pull are new, and in
   * a new repository their directories are missing as well: an exception takes longer than to write a small file.
   *
   * @throws ENOENT if `parent` is missing; UnsafePathError
   */
  lstat(parent: string, directory: string, name: string): Stats | undefined {
    const path = `${parent}/${directory}`;
    if (!this.#fds.has(path)) {
      // Who follows a link here and finds nothing knows enough. What is found is looked at again on the safe way.
      const look = (self: string): boolean => lstatSync(`${self}/${directory}/${name}`, IF_THERE) === undefined;
      if (this.within(parent, look)) return undefined;
    }
    return this.within(path, (self) => lstatSync(`${self}/${name}`, IF_THERE));
  }

  #forget(directory: string, fd: number): void {
    this.#fds.delete(directory);
    closeSync(fd);
  }

  close(): void {
    for (const fd of this.#fds.values()) closeSync(fd);
    this.#fds.clear();
  }
}
