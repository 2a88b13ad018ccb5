import { unlinkSync } from 'node:fs';
import type { ByteString } from '../../bytes/byte-string.js';
import { syncFileSystem } from '../../fs/sync-file-system.js';
import type { ImageArgument } from '../cmdline/composefs-argument.js';
import { type InstalledEntry, listInstalledEntries, onPartition } from './boot-partition.js';
import { filesOfEntry, removeUnused, withBootPartition } from './write-entry.js';

export interface StaleEntriesOptions {
  readonly bootSubdir?: string | undefined;
  /** Only say what would be removed. Default false. */
  readonly dryRun?: boolean | undefined;
}

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
    const removed = stale.map((entry) => {
      unlinkSync(onPartition(bootPartition, entry.path));
      return entry;
    });
    // An entry without its files would be half an entry.
    if (removed.length > 0) syncFileSystem(fd, bootPartition);
    return removed.map(({ path, images }) => ({
      entry: path,
      images,
      files: removeUnused(bootPartition, filesOfEntry(installed, path), bootSubdir),
    }));
  });
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
