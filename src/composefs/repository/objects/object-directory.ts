import { lstatSync, type Stats } from 'node:fs';
import { isErrno } from '../../../fs/files.js';
import type { Steps } from '../../../threads/turns.js';
import { digestSize, type HashAlgorithm } from '../../fsverity/algorithm.js';
import type { ObjectId } from '../../fsverity/object-id.js';
import { OpenDirectories } from '../directory/open-directories.js';
import type { RepositoryRoot } from '../directory/root.js';

/** The directory of the objects in a repository. */
export const OBJECTS = 'objects';
/** How many directories the objects lie in: one for each value of the first byte of a digest. */
export const OBJECT_DIRECTORIES = 256;

const DIRECTORY_MODE = 0o755;

/** Where objects lie, `objects/xx/yyyy…` (spec 10 §6): names and sizes of their files, and nothing of what is in them. */
export class ObjectDirectory {
  readonly #root: RepositoryRoot;
  readonly #idLength: number;
  #open: OpenDirectories | undefined;

  constructor(root: RepositoryRoot, algorithm: HashAlgorithm) {
    this.#root = root;
    this.#idLength = 2 * digestSize(algorithm);
  }

  /** Keeps directories that are reached open until {@link close}, for threads that store much. */
  keepOpen(): void {
    this.#open ??= new OpenDirectories(this.#root);
  }

  /** Closes what {@link keepOpen} has kept. */
  close(): void {
    this.#open?.close();
    this.#open = undefined;
  }

  /** Whether a file of that name is there. */
  has(id: ObjectId): boolean {
    return id.length === this.#idLength && this.#root.lstat(pathOf(id)) !== undefined;
  }

  /** The size of the file of that name in bytes; undefined if there is no such file. */
  sizeOf(id: ObjectId): number | undefined {
    if (id.length !== this.#idLength) return undefined;
    const stat = this.#open === undefined ? this.#root.lstat(pathOf(id)) : lstatIn(this.#open, id);
    return stat?.isFile() === true ? stat.size : undefined;
  }

  /** {@link sizeOf} of many objects, each directory opened once; those that are missing are not in the result. */
  *sizesOfSteps(ids: Iterable<ObjectId>): Steps<Map<ObjectId, number>> {
    const directories = new Map<string, ObjectId[]>();
    for (const id of ids) {
      if (id.length !== this.#idLength) continue;
      const directory = directoryOf(id);
      const others = directories.get(directory);
      if (others === undefined) directories.set(directory, [id]);
      else others.push(id);
    }
    const sizes = new Map<ObjectId, number>();
    for (const [directory, wanted] of directories) {
      yield;
      if (this.#root.lstat(directory) === undefined) continue;
      this.#root.within(directory, (self) => {
        for (const id of wanted) {
          const stat = lstatSync(`${self}/${id.slice(2)}`, { throwIfNoEntry: false });
          if (stat?.isFile() === true) sizes.set(id, stat.size);
        }
      });
    }
    return sizes;
  }

  /** Runs `action` with the path to give to the file of an object; its directory is made if it is missing. */
  nameObject<T>(id: ObjectId, action: (path: string) => T): T {
    const directory = directoryOf(id);
    const way = this.#open ?? this.#root;
    const name = (): T => way.within(directory, (self) => action(`${self}/${id.slice(2)}`));
    // In a new repository all are missing, and an exception takes longer than to name a file.
    if (this.#open?.has(directory) === false) this.#makeFor(directory);
    try {
      return name();
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
      this.#makeFor(directory);
      return name();
    }
  }

  /** Makes a directory of objects, unless somebody else has done so. */
  #makeFor(directory: string): void {
    this.make();
    this.#root.makeDirectory(directory, DIRECTORY_MODE);
  }

  /** Runs `action` with a path by which `objects/` is reached for the length of the call. */
  within<T>(action: (directory: string) => T): T {
    return (this.#open ?? this.#root).within(OBJECTS, action);
  }

  /** Makes `objects/` unless it is there. */
  make(): void {
    if (this.#open?.has(OBJECTS) !== true) this.#root.makeDirectory(OBJECTS, DIRECTORY_MODE);
  }
}

/** Where the object lies, or would lie, below the root of the repository. */
export function pathOf(id: ObjectId): string {
  return `${directoryOf(id)}/${id.slice(2)}`;
}

function directoryOf(id: ObjectId): string {
  return `${OBJECTS}/${id.slice(0, 2)}`;
}

function lstatIn(directories: OpenDirectories, id: ObjectId): Stats | undefined {
  try {
    return directories.lstat(OBJECTS, id.slice(0, 2), id.slice(2));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
