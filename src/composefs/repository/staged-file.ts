import { closeSync, constants, linkSync, openSync, renameSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ComposefsError } from '../../errors.js';
import { loadLibc } from '../../linux/ffi.js';
import { linkFd, renameNoReplace } from '../../linux/link.js';
import { isErrno } from './files.js';
import { randomName, TEMP_NAME_ATTEMPTS } from './random-name.js';

/** `open(2)`: an unnamed file in a directory. Includes `O_DIRECTORY`, as the kernel demands. */
const O_TMPFILE: number = 0o20000000 | constants.O_DIRECTORY;

/**
 * Where files are written before they get their name, so that nobody sees half a file and a crash leaves none.
 *
 * Files are anonymous (`O_TMPFILE`). Where the file system or the C library access is missing for that, they have a
 * temporary name in `directory` instead (spec 10 §10.3 and §23); the visible result is the same.
 */
export class StagingArea {
  readonly #directory: string;
  readonly #prefix: string;
  #anonymous: boolean | undefined;

  /** @param forceNamed for tests: as on a file system without anonymous files. */
  constructor(directory: string, prefix: string, forceNamed = false) {
    this.#directory = directory;
    this.#prefix = prefix;
    this.#anonymous = forceNamed ? false : undefined;
  }

  /** A new empty file, open for reading and writing. */
  create(mode: number): StagedFile {
    this.#anonymous ??= canLinkFd();
    if (this.#anonymous) {
      try {
        return new StagedFile(openSync(this.#directory, O_TMPFILE | constants.O_RDWR, mode), undefined);
      } catch (error) {
        // EISDIR: a kernel or file system that does not know the flag at all.
        if (!isErrno(error, 'EOPNOTSUPP', 'ENOSYS', 'EISDIR')) throw error;
        this.#anonymous = false;
      }
    }
    return this.#createNamed(mode);
  }

  /** Gives an anonymous file, or another name of an open one, a temporary name; returns its path. */
  nameFile(fd: number, link: (fd: number, path: string) => void = linkFd): string {
    return this.#withFreeName((path) => {
      link(fd, path);
      return path;
    });
  }

  #createNamed(mode: number): StagedFile {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
    return this.#withFreeName((path) => new StagedFile(openSync(path, flags, mode), path));
  }

  /** Tries names until `make` does not fail with EEXIST. */
  #withFreeName<T>(make: (path: string) => T): T {
    for (let attempt = 0; attempt < TEMP_NAME_ATTEMPTS; attempt++) {
      try {
        return make(join(this.#directory, randomName(this.#prefix)));
      } catch (error) {
        if (!isErrno(error, 'EEXIST')) throw error;
      }
    }
    throw new ComposefsError(
      'EEXIST',
      `no free temporary name in ${this.#directory} after ${TEMP_NAME_ATTEMPTS} attempts`,
    );
  }
}

/** A file that has no name yet, or a temporary one. Ends with {@link place} or {@link discard}. */
export class StagedFile {
  #fd: number;
  #path: string | undefined;

  constructor(fd: number, path: string | undefined) {
    this.#fd = fd;
    this.#path = path;
  }

  get fd(): number {
    return this.#fd;
  }

  /** Swaps the descriptor for a read-only one: fs-verity refuses a file that somebody may still write. */
  reopenReadOnly(): void {
    const fd = openSync(this.#path ?? `/proc/self/fd/${this.#fd}`, constants.O_RDONLY);
    closeSync(this.#fd);
    this.#fd = fd;
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
    const placed = ignoreTaken(() => {
      if (this.#path === undefined) linkFd(this.#fd, path);
      else moveNoReplace(this.#path, path);
    });
    if (!placed) return false;
    this.#path = undefined;
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
    this.#path ??= area.nameFile(this.#fd);
    renameSync(this.#path, path);
    this.#path = undefined;
    this.discard();
  }

  /** Closes the file and removes a temporary name. Does nothing a second time. */
  discard(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
    if (this.#path !== undefined) {
      const path = this.#path;
      this.#path = undefined;
      unlinkSync(path);
    }
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

/** Node can open anonymous files but not give them a name. */
function canLinkFd(): boolean {
  try {
    loadLibc();
    return true;
  } catch {
    return false;
  }
}
