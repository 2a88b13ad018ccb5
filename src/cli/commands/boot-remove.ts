import { runningImages } from '../../boot/cmdline/running-images.js';
import { listInstalledEntries } from '../../boot/write/boot-partition.js';
import { releaseBootImage } from '../../boot/write/image-refs.js';
import { removeBootEntry } from '../../boot/write/stale-entries.js';
import { byteStringToText } from '../../bytes/byte-string.js';
import { ComposefsError } from '../../errors.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';

export interface BootRemoveOptions {
  readonly bootdir: string;
  readonly force?: boolean;
}

/** Removes an entry; the next gc takes its image, unless something else names it. */
export async function bootRemove(context: Context, name: string, options: BootRemoveOptions): Promise<void> {
  await withRepository(context, async (repo) => {
    const { bootdir, force = false } = options;
    repo.ensureWritable();
    if (!force) refuseLast(bootdir);
    const { entry, files } = removeBootEntry(bootdir, name);
    await releaseBootImage(repo, entry);
    await context.output.lines([entry, ...files].map((path) => `remove   ${bootdir}/${byteStringToText(path)}`));
  });
}

/** The machine runs from an image, and this is the only entry that names one. */
function refuseLast(bootPartition: string): void {
  const entries = listInstalledEntries(bootPartition).filter(({ images }) => images.length > 0);
  if (entries.length !== 1 || runningImages().length === 0) return;
  throw new ComposefsError('NO_BOOT_ENTRY_LEFT', `there is no other boot entry on ${bootPartition}`, {
    hint: 'without it this machine does not start again; to remove it nevertheless: --force',
  });
}
