import { uninstallBootEntry } from '../../boot/index.js';
import { byteStringToText } from '../../composefs/index.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';

export interface BootRemoveOptions {
  readonly bootdir: string;
  readonly force?: boolean;
}

/** Removes an entry; the next gc takes its image, unless something else names it. */
export async function bootRemove(context: Context, name: string, { bootdir, force }: BootRemoveOptions): Promise<void> {
  await withRepository(context, async (repo) => {
    const { entry, files } = await uninstallBootEntry(repo, bootdir, name, { force });
    await context.output.lines([entry, ...files].map((path) => `remove   ${bootdir}/${byteStringToText(path)}`));
  });
}
