import { fsyncSync, lstatSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, unlinkSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { ComposefsError } from '../../errors.js';
import { isErrno, writeFully } from '../../fs/files.js';
import { randomName } from '../../fs/random-name.js';
import { renamePath } from '../../fs/rename-path.js';
import { type StagedFile, StagingArea } from '../../fs/staged-file.js';
import { syncDirectory } from '../../fs/sync-file-system.js';

const FILE_MODE = 0o644;
const TEMP_PREFIX = '.tmp-';

/**
 * A directory that files are written into: a new one, which gets its name when it is complete, or one that is there
 * already, in which what {@link abandon} finds is again as it was before. Ends with one of {@link finish} and
 * {@link abandon}.
 */
export class TargetDirectory {
  /** As the caller named it. */
  readonly name: string;
  /** Where the files are now. */
  readonly path: string;
  readonly isNew: boolean;
  readonly #target: string;
  readonly #area: StagingArea;
  /** What was not there before, the oldest first. */
  readonly #made: { readonly path: string; readonly isDirectory: boolean }[] = [];

  /** @throws ComposefsError `NOT_A_DIRECTORY`; errors of the system */
  constructor(name: string) {
    this.name = name;
    this.#target = resolve(name);
    this.isNew = !exists(this.#target, name);
    this.path = this.isNew
      ? join(dirname(this.#target), randomName(`.${basename(this.#target).slice(0, 100)}${TEMP_PREFIX}`))
      : this.#target;
    if (this.isNew) this.#make();
    this.#area = new StagingArea((action) => action(this.path), TEMP_PREFIX);
  }

  #make(): void {
    try {
      mkdirSync(this.path);
    } catch (error) {
      throw renamePath(error, this.path, this.name);
    }
  }

  /** The names in it; files that are being written are none. */
  list(): string[] {
    return readdirSync(this.path).filter((name) => !name.startsWith(TEMP_PREFIX));
  }

  /** A new file without a name, for {@link place}. */
  createFile(): StagedFile {
    return this.#area.create(FILE_MODE);
  }

  /** A directory, unless it is there. @throws ComposefsError `NOT_A_DIRECTORY` also for a link to one */
  makeDirectory(name: string): void {
    const path = join(this.path, name);
    try {
      mkdirSync(path);
      this.#made.push({ path, isDirectory: true });
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
      if (!lstatSync(path).isDirectory()) throw notADirectory(join(this.name, name));
    }
  }

  /** Gives a file, which is on disk, its name. What has the name now is replaced. */
  place(name: string, file: StagedFile): void {
    const path = join(this.path, name);
    if (file.place(path)) this.#made.push({ path, isDirectory: false });
    else file.replace(path, this.#area);
  }

  /** Writes a small file, or replaces it. */
  write(name: string, content: Uint8Array): void {
    const file = this.createFile();
    try {
      writeFully(file.fd, content);
      fsyncSync(file.fd);
      this.place(name, file);
    } finally {
      file.discard();
    }
  }

  /** Makes what was written last, and gives a new directory its name. @throws ComposefsError `EEXIST` */
  finish(): void {
    const changed = new Set([this.path]);
    for (const { path, isDirectory } of this.#made) changed.add(isDirectory ? path : dirname(path));
    for (const path of changed) syncDirectory(path);
    if (!this.isNew) return;
    try {
      renameSync(this.path, this.#target);
    } catch (error) {
      // What came meanwhile; an empty directory is no loss.
      if (!isErrno(error, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR')) throw error;
      throw new ComposefsError('EEXIST', `${this.name} exists already`, { cause: error });
    }
    syncDirectory(dirname(this.#target));
  }

  /** Removes what was written. */
  abandon(): void {
    if (this.isNew) rmSync(this.path, { recursive: true, force: true });
    for (const { path, isDirectory } of this.isNew ? [] : this.#made.reverse()) {
      try {
        if (isDirectory) rmdirSync(path);
        else unlinkSync(path);
      } catch (error) {
        // Somebody else has put something into it, or has taken it away.
        if (!isErrno(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT')) throw error;
      }
    }
  }
}

function exists(path: string, name: string): boolean {
  try {
    // With a slash, so that a link to a directory is one.
    if (lstatSync(`${path}/.`).isDirectory()) return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT') && lstatSync(path, { throwIfNoEntry: false }) === undefined) return false;
    if (!isErrno(error, 'ENOTDIR', 'ENOENT')) throw error;
  }
  throw notADirectory(name);
}

function notADirectory(name: string): ComposefsError {
  return new ComposefsError('NOT_A_DIRECTORY', `${name} is there and no directory`);
}
