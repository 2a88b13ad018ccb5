import { unlinkSync } from 'node:fs';
import { type ByteString, byteStringToText } from '../../bytes/byte-string.js';
import { ComposefsError } from '../../errors.js';
import { syncFileSystem } from '../../fs/sync-file-system.js';
import type { ImageArgument } from '../cmdline/composefs-argument.js';
import { EFI_EXT } from '../entries/boot-entry.js';
import { type InstalledEntry, listInstalledEntries, onPartition } from './boot-partition.js';
import { filesOfEntry, removeUnused, withBootPartition } from './write-entry.js';

/** Where boot entries are looked for, and whether they are removed. */
export interface StaleEntriesOptions {
  readonly bootSubdir?: string | undefined;
  /** Only say what would be removed. Default false. */
  readonly dryRun?: boolean | undefined;
}

/** A boot entry that was removed, or in a dry run would be. */
export interface RemovedEntry {
  /** Relative to the boot partition. */
  readonly entry: ByteString;
  readonly images: readonly ImageArgument[];
  /** Files that only this entry named. */
  readonly files: readonly ByteString[];
}

/**
 * Removes the boot entries and UKIs whose images are all gone, first the entry, then its files. What names no image is
 * somebody else's and stays.
 *
 * @param isThere whether an image can be mounted.
 */
export function removeStaleBootEntries(
  bootPartition: string,
  isThere: (image: ImageArgument) => boolean,
  options: StaleEntriesOptions = {},
): RemovedEntry[] {
  const { bootSubdir, dryRun = false } = options;
  return withBootPartition(bootPartition, (fd) => {
    const installed = listInstalledEntries(bootPartition, bootSubdir);
    const stale = installed.filter(({ images }) => images.length > 0 && !images.some(isThere));
    if (dryRun) return stale.map((entry) => describe(installed, stale, entry));
    return removeEntries(bootPartition, fd, stale, bootSubdir);
  });
}

/**
 * Removes one entry or UKI, and the files that only it named.
 *
 * @param name of the entry, with or without `.conf` or `.efi`.
 * @throws ComposefsError `BOOT_ENTRY_NOT_FOUND`, also for an entry that names no image: it is somebody else's.
 */
export function removeBootEntry(bootPartition: string, name: string, bootSubdir?: string): RemovedEntry {
  return withBootPartition(bootPartition, (fd) => {
    const installed = listInstalledEntries(bootPartition, bootSubdir);
    const nameOf = ({ path }: InstalledEntry) => byteStringToText(path.slice(path.lastIndexOf('/') + 1) as ByteString);
    const ours = installed.filter(({ images }) => images.length > 0);
    const found = ours.find((entry) => [name, `${name}.conf`, `${name}${EFI_EXT}`].includes(nameOf(entry)));
    const [removed] = found === undefined ? [] : removeEntries(bootPartition, fd, [found], bootSubdir);
    if (removed !== undefined) return removed;
    const names = ours.map(nameOf).join(', ');
    throw new ComposefsError('BOOT_ENTRY_NOT_FOUND', `no boot entry ${JSON.stringify(name)} on ${bootPartition}`, {
      hint: names === '' ? 'none of the entries there names an image' : `there are: ${names}`,
    });
  });
}

function removeEntries(
  bootPartition: string,
  fd: number,
  entries: readonly InstalledEntry[],
  bootSubdir: string | undefined,
): RemovedEntry[] {
  const files = entries.map((entry) => filesOfEntry(entries, entry.path));
  for (const { path } of entries) unlinkSync(onPartition(bootPartition, path));
  // An entry without its files would be half an entry.
  if (entries.length > 0) syncFileSystem(fd, bootPartition);
  return entries.map(({ path, images }, index) => ({
    entry: path,
    images,
    files: removeUnused(bootPartition, files[index] ?? [], bootSubdir),
  }));
}

function describe(
  all: readonly InstalledEntry[],
  stale: readonly InstalledEntry[],
  entry: InstalledEntry,
): RemovedEntry {
  const staying = new Set(all.filter((other) => !stale.includes(other)).flatMap(({ files }) => files));
  const files = filesOfEntry(all, entry.path).filter((file) => !staying.has(file));
  return { entry: entry.path, images: entry.images, files };
}
