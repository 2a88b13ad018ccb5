import type { Repository } from '../../composefs/repository/repository.js';
import { ComposefsError } from '../../errors.js';
import type { ImageArgument } from '../cmdline/composefs-argument.js';
import { runningImages } from '../cmdline/running-images.js';
import { listInstalledEntries } from './boot-partition.js';
import { releaseBootImage, releaseBootImages } from './image-refs.js';
import { type RemovedEntry, removeBootEntry, removeStaleBootEntries } from './stale-entries.js';

/** How boot entries are removed from a partition. */
export interface PruneBootOptions {
  /** Only say what would be removed. Default false. */
  readonly dryRun?: boolean | undefined;
  /** Remove the last entries, too. Default false. */
  readonly force?: boolean | undefined;
}

/** What {@link pruneBootEntries} has removed. */
export interface PrunedBootEntries {
  readonly removed: readonly RemovedEntry[];
  /** The names below `images/refs/boot/` of entries that are not on the partition any more. */
  readonly released: readonly string[];
}

/**
 * Removes the boot entries whose images are not in the repository, and the references of entries that are gone, so that
 * collecting garbage takes their images.
 *
 * @throws ComposefsError `NO_BOOT_ENTRY_LEFT` without `force`, if none would stay: a repository in which no image of any
 *   entry is found is more often the wrong one than an empty one, and a partition without entries, where there have been
 *   some, one that is not mounted.
 */
export async function pruneBootEntries(
  repo: Repository,
  bootPartition: string,
  { dryRun = false, force = false }: PruneBootOptions = {},
): Promise<PrunedBootEntries> {
  if (!force) requireOneLeft(repo, bootPartition);
  const removed = removeUnneededBootEntries(repo, bootPartition, { dryRun });
  return { removed, released: await releaseBootImages(repo, bootPartition, { dryRun }) };
}

/**
 * Removes the boot entries whose images are not in the repository. Those of the images by which this machine runs stay, and
 * those that name images of another algorithm: they are not of this repository.
 */
export function removeUnneededBootEntries(
  repo: Repository,
  bootPartition: string,
  { dryRun = false }: Pick<PruneBootOptions, 'dryRun'> = {},
): RemovedEntry[] {
  const running = runningImages();
  return removeStaleBootEntries(bootPartition, (image) => isNeeded(repo, running, image), { dryRun });
}

/**
 * Removes an entry and its reference; the next collection of garbage takes its image, unless something else names it.
 *
 * @param name of the entry, with or without `.conf` or `.efi`.
 * @throws ComposefsError `NO_BOOT_ENTRY_LEFT` without `force`, if this machine runs from an image and no other entry names
 *   one; `BOOT_ENTRY_NOT_FOUND`
 */
export async function uninstallBootEntry(
  repo: Repository,
  bootPartition: string,
  name: string,
  { force = false }: Pick<PruneBootOptions, 'force'> = {},
): Promise<RemovedEntry> {
  repo.ensureWritable();
  if (!force) requireAnother(bootPartition);
  const removed = removeBootEntry(bootPartition, name);
  await releaseBootImage(repo, removed.entry);
  return removed;
}

function isNeeded(repo: Repository, running: readonly ImageArgument[], { algorithm, digest }: ImageArgument): boolean {
  if (algorithm !== repo.algorithm || running.some((image) => image.digest === digest)) return true;
  return repo.hasImage(digest) && repo.objects.has(digest);
}

function requireOneLeft(repo: Repository, bootPartition: string): void {
  const entries = listInstalledEntries(bootPartition).filter(({ images }) => images.length > 0);
  const kept = repo.listImageRefs('boot').length;
  if (entries.length === 0 && kept > 0) {
    const message = `no boot entry on ${bootPartition} names an image, and the repository keeps ${kept} for entries`;
    throw new ComposefsError('NO_BOOT_ENTRY_LEFT', message, {
      hint: 'name the boot partition with --bootdir; to forget all entries: --force',
    });
  }
  const stale = removeUnneededBootEntries(repo, bootPartition, { dryRun: true });
  if (stale.length === 0 || stale.length < entries.length) return;
  const message = `none of the images of the ${stale.length} boot ${stale.length === 1 ? 'entry' : 'entries'} on ${bootPartition} is in the repository ${repo.path}`;
  throw new ComposefsError('NO_BOOT_ENTRY_LEFT', message, {
    hint: 'name the repository of the images with --repo; to remove all entries: --force',
  });
}

function requireAnother(bootPartition: string): void {
  const entries = listInstalledEntries(bootPartition).filter(({ images }) => images.length > 0);
  if (entries.length !== 1 || runningImages().length === 0) return;
  throw new ComposefsError('NO_BOOT_ENTRY_LEFT', `there is no other boot entry on ${bootPartition}`, {
    hint: 'without it this machine does not start again; to remove it nevertheless: --force',
  });
}
