import type { ImageArgument } from '../../boot/cmdline/composefs-argument.js';
import { runningImages } from '../../boot/cmdline/running-images.js';
import { listInstalledEntries } from '../../boot/write/boot-partition.js';
import { releaseBootImages } from '../../boot/write/image-refs.js';
import { type RemovedEntry, removeStaleBootEntries } from '../../boot/write/stale-entries.js';
import { byteStringToText } from '../../bytes/byte-string.js';
import type { Repository } from '../../composefs/repository/index.js';
import { ComposefsError } from '../../errors.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';

export interface BootPruneOptions {
  readonly bootdir: string;
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

export async function bootPrune(context: Context, options: BootPruneOptions): Promise<void> {
  await withRepository(context, async (repo) => {
    const { bootdir, dryRun = false, force = false } = options;
    if (!force) refuseLast(repo, bootdir);
    const removed = pruneBootEntries(repo, bootdir, dryRun);
    const lines = removed.flatMap(({ entry, files }) => [entry, ...files]);
    const released = await releaseBootImages(repo, bootdir, { dryRun });
    await context.output.lines([
      ...lines.map((path) => `remove   ${bootdir}/${byteStringToText(path)}`),
      ...released.map((name) => `release  images/refs/boot/${name}`),
    ]);
  });
}

/** Removes, or in a dry run finds, the entries that {@link isNeeded} for nothing. */
export function pruneBootEntries(repo: Repository, bootPartition: string, dryRun: boolean): RemovedEntry[] {
  const running = runningImages();
  return removeStaleBootEntries(bootPartition, (image) => isNeeded(repo, running, image), { dryRun });
}

/**
 * An image that is there, or by which this machine runs now. An image of another algorithm is not of this repository, and
 * its entry somebody else's.
 */
function isNeeded(repo: Repository, running: readonly ImageArgument[], { algorithm, digest }: ImageArgument): boolean {
  if (algorithm !== repo.algorithm || running.some((image) => image.digest === digest)) return true;
  return repo.hasImage(digest) && repo.objects.has(digest);
}

/**
 * A repository in which no image of any entry is found is more often the wrong one than an empty one, and a partition
 * without entries, where there have been some, one that is not mounted.
 */
function refuseLast(repo: Repository, bootPartition: string): void {
  const entries = listInstalledEntries(bootPartition).filter(({ images }) => images.length > 0);
  const kept = repo.listImageRefs('boot').length;
  if (entries.length === 0 && kept > 0) {
    const message = `no boot entry on ${bootPartition} names an image, and the repository keeps ${kept} for entries`;
    throw new ComposefsError('NO_BOOT_ENTRY_LEFT', message, {
      hint: 'name the boot partition with --bootdir; to forget all entries: --force',
    });
  }
  const stale = pruneBootEntries(repo, bootPartition, true);
  if (stale.length === 0 || stale.length < entries.length) return;
  const message = `none of the images of the ${stale.length} boot entries on ${bootPartition} is in the repository ${repo.path}`;
  throw new ComposefsError('NO_BOOT_ENTRY_LEFT', message, {
    hint: 'name the repository of the images with --repo; to remove all entries: --force',
  });
}
