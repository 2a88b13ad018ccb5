/**
 * Writing a boot entry so that whoever starts the machine, at whatever moment the power went, finds the old entry or
 * the new one with all that it needs.
 */

import { createHash } from 'node:crypto';
import {
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { type ByteString, byteStringToText, concatBytes, quoteBytes, sliceBytes } from '../../bytes/byte-string.js';
import { fileSize } from '../../composefs/tree/inode.js';
import { type ObjectSource, readFileChunks } from '../../composefs/tree/read-file.js';
import { ComposefsError, ContextError, withContext } from '../../errors.js';
import { listDirectory } from '../../fs/directory-entries.js';
import { isErrno, readChunks, withFd, writeFully } from '../../fs/files.js';
import { openFileOnly } from '../../fs/open-file.js';
import { randomName } from '../../fs/random-name.js';
import { syncFileSystem } from '../../fs/sync-file-system.js';
import { tryFlock } from '../../linux/flock.js';
import type { BootEntry } from '../entries/boot-entry.js';
import { exists, type InstalledEntry, listInstalledEntries, onPartition } from './boot-partition.js';
import { type BootFile, type BootPlan, type BootWriteOptions, planBootEntry, type1Files } from './plan.js';

/** Files on their way to their names. No boot loader takes them for entries. */
const TEMP_PREFIX = '.composefs-';
const TEMP_NAME = /^\.composefs-[A-Za-z0-9]{12}$/;

const O_CREATE_NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** What was done. Paths are relative to the boot partition. */
export interface WrittenBootEntry {
  readonly entry: ByteString;
  /** Files of the entry that were written. */
  readonly written: readonly ByteString[];
  /** Files that were there with the same content. */
  readonly kept: readonly ByteString[];
  /** Files of the entry that was replaced, which no other entry names. */
  readonly removed: readonly ByteString[];
}

/**
 * Spec 50 §10.1: {@link planBootEntry} for the first of the entries, and {@link writeBootEntry}.
 *
 * @throws as these do; nothing is written if the entry cannot be planned.
 */
export function writeBootSimple(
  objects: ObjectSource,
  entries: readonly BootEntry[],
  bootPartition: string,
  options: BootWriteOptions,
): WrittenBootEntry {
  return writeBootEntry(objects, planBootEntry(entries, objects, options), bootPartition);
}

/**
 * Writes what was planned to a boot partition (spec 50 §10.2, §10.3): files first, each under a temporary name and with
 * its content on disk before it gets its own, then the entry likewise. An entry of that name is replaced in one step,
 * and what only it needed is removed after that. If anything fails, the partition has what it had before.
 *
 * A file that is there already, with other content, and that an entry names, is not touched: the new ones then go to a
 * directory that is named after their content.
 *
 * @param bootPartition where it is mounted, a directory.
 * @throws ComposefsError `BOOT_PARTITION_BUSY` while another process writes entries; `WRONG_FILE_SIZE`; system errors.
 */
export function writeBootEntry(objects: ObjectSource, plan: BootPlan, bootPartition: string): WrittenBootEntry {
  return withBootPartition(bootPartition, (fd) => {
    const installed = listInstalledEntries(bootPartition, plan.bootSubdir);
    const final = avoidFilesInUse(objects, plan, bootPartition, installed);
    const writer = new EntryWriter(objects, bootPartition);
    try {
      for (const file of final.files) writer.write(file);
      syncFileSystem(fd, bootPartition);
      writer.write(final.entry);
    } catch (error) {
      writer.undo();
      throw new ContextError(`Writing the boot entry ${quoteBytes(final.entry.path)} to ${bootPartition}`, error);
    }
    syncFileSystem(fd, bootPartition);
    const removed = removeUnused(bootPartition, filesOfEntry(installed, final.entry.path), plan.bootSubdir);
    if (removed.length > 0) syncFileSystem(fd, bootPartition);
    return { entry: final.entry.path, written: writer.written, kept: writer.kept, removed };
  });
}

/**
 * {@link planBootEntry}'s result as it is written to this partition now: what `prepare-boot --dry-run` shows.
 */
export function resolveBootPlan(objects: ObjectSource, plan: BootPlan, bootPartition: string): BootPlan {
  return avoidFilesInUse(objects, plan, bootPartition, listInstalledEntries(bootPartition, plan.bootSubdir));
}

/** Runs `action` with the open boot partition, alone among the processes that write entries. */
export function withBootPartition<T>(bootPartition: string, action: (fd: number) => T): T {
  const opened = withContext(`Opening the boot partition ${bootPartition}`, () =>
    openSync(bootPartition, constants.O_RDONLY | constants.O_DIRECTORY),
  );
  return withFd(opened, (fd) => {
    if (!tryFlock(fd, 'exclusive')) {
      throw new ComposefsError('BOOT_PARTITION_BUSY', `another process writes boot entries to ${bootPartition}`, {
        hint: 'try again when it is done',
      });
    }
    return action(fd);
  });
}

/**
 * Removes files that no entry names any more, and the directories that are empty then.
 *
 * @param files relative to the boot partition.
 * @returns those that were removed.
 */
export function removeUnused(bootPartition: string, files: readonly ByteString[], bootSubdir?: string): ByteString[] {
  const named = new Set(listInstalledEntries(bootPartition, bootSubdir).flatMap((entry) => entry.files));
  const removed = files.filter((file) => !named.has(file) && exists(onPartition(bootPartition, file)));
  for (const file of removed) {
    unlinkSync(onPartition(bootPartition, file));
    removeEmptyDirectories(bootPartition, file);
  }
  return removed;
}

/** The files of the entry at a path that are its own: in a directory named after it, or after it and their content. */
export function filesOfEntry(installed: readonly InstalledEntry[], path: ByteString): ByteString[] {
  const entry = installed.find((candidate) => candidate.path === path);
  if (entry === undefined || entry.images.length === 0) return [];
  const stem = stemOf(path);
  return entry.files.filter((file) => {
    const directory = file.split('/').at(-2);
    return directory === stem || (directory?.startsWith(`${stem}-`) === true && /-[0-9a-f]{12}$/.test(directory));
  });
}

class EntryWriter {
  readonly written: ByteString[] = [];
  readonly kept: ByteString[] = [];
  readonly #objects: ObjectSource;
  readonly #partition: string;
  /** What was not there before: to be removed if something fails. */
  readonly #newFiles: Buffer[] = [];
  readonly #newDirectories: Buffer[] = [];

  constructor(objects: ObjectSource, partition: string) {
    this.#objects = objects;
    this.#partition = partition;
  }

  write(file: BootFile): void {
    if (hasContent(this.#objects, file, this.#partition)) {
      this.kept.push(file.path);
      return;
    }
    const directory = sliceBytes(file.path, 0, Math.max(file.path.lastIndexOf('/'), 0));
    this.#makeDirectory(directory);
    removeLeftovers(this.#partition, directory);
    const target = onPartition(this.#partition, file.path);
    const temporary = onPartition(this.#partition, `${directory}/${randomName(TEMP_PREFIX)}` as ByteString);
    const fd = openSync(temporary, O_CREATE_NEW, 0o666);
    try {
      withFd(fd, () => {
        for (const chunk of readFileChunks(file.content, this.#objects)) writeFully(fd, chunk);
        fsyncSync(fd);
      });
      const isNew = !exists(target);
      renameSync(temporary, target);
      if (isNew) this.#newFiles.push(target);
    } catch (error) {
      ignoreErrors(() => unlinkSync(temporary));
      throw error;
    }
    this.written.push(file.path);
  }

  /** As far as possible: the first error is the one to report. */
  undo(): void {
    for (const file of this.#newFiles.reverse()) ignoreErrors(() => unlinkSync(file));
    for (const directory of this.#newDirectories.reverse()) ignoreErrors(() => rmdirSync(directory));
  }

  #makeDirectory(directory: ByteString): void {
    const components = directory.split('/');
    for (let count = 1; count <= components.length; count++) {
      const path = onPartition(this.#partition, components.slice(0, count).join('/') as ByteString);
      try {
        mkdirSync(path);
        this.#newDirectories.push(path);
      } catch (error) {
        if (!isErrno(error, 'EEXIST') || !statSync(path).isDirectory()) throw error;
      }
    }
  }
}

/** Gives the files of a plan another directory if an entry that is there depends on what they would replace. */
function avoidFilesInUse(
  objects: ObjectSource,
  plan: BootPlan,
  partition: string,
  installed: readonly InstalledEntry[],
): BootPlan {
  const named = new Set(installed.flatMap((entry) => entry.files));
  const inUse = plan.files.find((file) => {
    const isNeeded = plan.type1 === undefined ? exists(onPartition(partition, plan.entry.path)) : named.has(file.path);
    return isNeeded && exists(onPartition(partition, file.path)) && !hasContent(objects, file, partition);
  });
  if (inUse === undefined) return plan;
  if (plan.type1 === undefined) {
    const message = `the UKI ${quoteBytes(plan.entry.path)} is there, with another ${quoteBytes(inUse.path)}`;
    throw new ComposefsError('BOOT_FILE_IN_USE', message, { hint: 'give the new one a name of its own: --entry-id' });
  }
  const directory = `${byteStringToText(stemOf(plan.entry.path))}-${contentName(objects, plan.files)}`;
  const type1 = plan.type1.moved(directory, plan.bootSubdir);
  return { ...plan, ...type1Files(type1, plan.bootSubdir), type1 };
}

/** 12 hex digits that stand for names and contents of files. */
function contentName(objects: ObjectSource, files: readonly BootFile[]): string {
  const hash = createHash('sha256');
  for (const { path, content } of files) {
    hash.update(`${path}\0${fileSize(content)}\0`, 'latin1');
    for (const chunk of readFileChunks(content, objects)) hash.update(chunk);
  }
  return hash.digest('hex').slice(0, 12);
}

/** The name of an entry without `.conf`. */
function stemOf(path: ByteString): ByteString {
  return path.slice(path.lastIndexOf('/') + 1).replace(/\.[^.]*$/, '') as ByteString;
}

/** Whether a file is there, as a regular file with this content. */
function hasContent(objects: ObjectSource, { path, content }: BootFile, partition: string): boolean {
  let fd: number;
  try {
    fd = openFileOnly(onPartition(partition, path));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO')) return false;
    throw error;
  }
  return withFd(fd, () => {
    const actual = fstatSync(fd);
    const size = content.storage === 'sparse' ? 0 : fileSize(content);
    if (!actual.isFile() || actual.size !== size) return false;
    const hashes = [readFileChunks(content, objects), readChunks(fd)].map((chunks) => {
      const hash = createHash('sha256');
      for (const chunk of chunks) hash.update(chunk);
      return hash.digest('hex');
    });
    return hashes[0] === hashes[1];
  });
}

/** What a power cut left of files that were being written: this process alone writes now. */
function removeLeftovers(partition: string, directory: ByteString): void {
  for (const { name } of listDirectory(onPartition(partition, directory))) {
    if (TEMP_NAME.test(name)) unlinkSync(onPartition(partition, concatBytes(directory, '/' as ByteString, name)));
  }
}

function removeEmptyDirectories(partition: string, file: ByteString): void {
  const components = file.split('/').slice(0, -1);
  try {
    for (; components.length > 0; components.pop())
      rmdirSync(onPartition(partition, components.join('/') as ByteString));
  } catch (error) {
    if (!isErrno(error, 'ENOTEMPTY', 'EEXIST', 'EBUSY', 'EPERM')) throw error;
  }
}

function ignoreErrors(action: () => void): void {
  try {
    action();
  } catch {
    // Something else has failed already, and that is what the caller gets to know.
  }
}
