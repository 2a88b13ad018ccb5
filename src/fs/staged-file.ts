import { closeSync, constants, fchmodSync, linkSync, openSync, renameSync, unlinkSync } from 'node:fs';
import { ComposefsError } from '../errors.js';
import { O_TMPFILE } from '../linux/constants.js';
import { hasSystemCalls } from '../linux/ffi.js';
import { linkFd, procPath, renameNoReplace } from '../linux/link.js';
import { closeOnError, isErrno } from './files.js';
import { randomName, TEMP_NAME_ATTEMPTS } from './random-name.js';

/** Runs an action with the path of a file or directory, which is valid for the length of the call. */
export type PathAccess = <T>(action: (path: string) => T) => T;

/**
 * Where files are written before they get their name, so that nobody sees half a file and a crash leaves none.
 *
 * Files are anonymous (`O_TMPFILE`). Where the file system or the C library access is missing for that, they have a
 * temporary name in `directory` instead (spec 10 §10.3 and §23); the visible result is the same.
 */
export class StagingArea {
  readonly #within: PathAccess;
  readonly #prefix: string;
  #anonymous: boolean | undefined;

  /**
   * @param within reaches the directory.
   * @param forceNamed for tests: as on a file system without anonymous files.
   */
  constructor(within: PathAccess, prefix: string, forceNamed = false) {
    this.#within = within;
    this.#prefix = prefix;
    this.#anonymous = forceNamed ? false : undefined;
  }

  /** A new empty file, open for reading and writing, with exactly this mode. */
  create(mode: number): StagedFile {
    this.#anonymous ??= hasSystemCalls();
    if (this.#anonymous) {
      try {
        const flags = O_TMPFILE | constants.O_RDWR;
        return staged(
          this.#within((directory) => openSync(directory, flags, mode)),
          mode,
          undefined,
        );
      } catch (error) {
        // EISDIR: a kernel or file system that does not know the flag at all.
        if (!isErrno(error, 'EOPNOTSUPP', 'ENOSYS', 'EISDIR')) throw error;
        this.#anonymous = false;
      }
    }
    return this.#createNamed(mode);
  }

  /** Gives an anonymous file, or another name of an open one, a temporary name; returns the way to it. */
  nameFile(fd: number, link: (fd: number, path: string) => void = linkFd): PathAccess {
    return this.#withFreeName((file) => {
      file((path) => link(fd, path));
      return file;
    });
  }

  #createNamed(mode: number): StagedFile {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
    return this.#withFreeName((file) =>
      staged(
        file((path) => openSync(path, flags, mode)),
        mode,
        file,
      ),
    );
  }

  /** Tries names until `make` does not fail with EEXIST. */
  #withFreeName<T>(make: (file: PathAccess) => T): T {
    for (let attempt = 0; attempt < TEMP_NAME_ATTEMPTS; attempt++) {
      const name = randomName(this.#prefix);
      try {
        return make((action) => this.#within((directory) => action(`${directory}/${name}`)));
      } catch (error) {
        if (!isErrno(error, 'EEXIST')) throw error;
      }
    }
    throw new ComposefsError('EEXIST', `no free temporary name after ${TEMP_NAME_ATTEMPTS} attempts`);
  }
}

/** The umask of the process has no say in what others may read. */
function staged(fd: number, mode: number, temporary: PathAccess | undefined): StagedFile {
  return closeOnError(fd, () => {
    fchmodSync(fd, mode);
    return new StagedFile(fd, temporary);
  });
}

/** A file that has no name yet, or a temporary one. Ends with {@link place} or {@link discard}. */
export class StagedFile {
  #fd: number;
  #temporary: PathAccess | undefined;

  /** @param temporary the way to its temporary name, if it has one. */
  constructor(fd: number, temporary: PathAccess | undefined) {
    this.#fd = fd;
    this.#temporary = temporary;
  }

  get fd(): number {
    return this.#fd;
  }

  /** Swaps the descriptor for a read-only one: fs-verity refuses a file that somebody may still write. */
  reopenReadOnly(): void {
    const fd = openSync(procPath(this.#fd), constants.O_RDONLY);
    closeSync(this.#fd);
    this.#fd = fd;
  }

  /** The same file for another owner; this one is discarded already. */
  handOver(): StagedFile {
    const file = new StagedFile(this.#fd, this.#temporary);
    this.#fd = -1;
    this.#temporary = undefined;
    return file;
  }

  /** Goes on with another, anonymous file instead, and drops this one. */
  replaceBy(fd: number): void {
    this.discard();
    this.#fd = fd;
  }

  /**
   * Gives the file its name, which must be free; ends the staging if it succeeds.
   *
   * @returns false if the name is taken.
   */
  place(path: string): boolean {
    const temporary = this.#temporary;
    const placed = ignoreTaken(() => {
      if (temporary === undefined) linkFd(this.#fd, path);
      else temporary((from) => moveNoReplace(from, path));
    });
    if (!placed) return false;
    this.#temporary = undefined;
    this.discard();
    return true;
  }

  /**
   * Gives the file a name that is taken: whoever looks sees the old file or this one, never none. Ends the staging
   * unless it throws.
   *
   * @param area where the file gets a temporary name, if it has none yet: on the same file system as `path`.
   */
  replace(path: string, area: StagingArea): void {
    this.#temporary ??= area.nameFile(this.#fd);
    this.#temporary((from) => renameSync(from, path));
    this.#temporary = undefined;
    this.discard();
  }

  /** Closes the file and removes a temporary name. Does nothing a second time. */
  discard(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
    const temporary = this.#temporary;
    this.#temporary = undefined;
    temporary?.(unlinkSync);
  }
}

/** Link and unlink rather than a rename: a rename would replace what is there, and RENAME_NOREPLACE is not for all. */
function moveNoReplace(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!isErrno(error, 'EPERM', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK')) throw error;
    renameNoReplace(from, to);
    return;
  }
  unlinkSync(from);
}

function ignoreTaken(action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  }
}
