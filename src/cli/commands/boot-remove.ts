import { uninstallBootEntry } from '../../boot/index.js';
import { byteStringToText } from '../../composefs/index.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';

export interface BootRemoveOptions {
  readonly bootdir: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** Removes an entry; the next gc takes its image, unless something else names it. */
export async function bootRemove(context: Context, name: string, options: BootRemoveOptions): Promise<void> {
  const { bootdir, force, json } = options;
  await withRepository(context, async (repo) => {
    const { entry, files } = await uninstallBootEntry(repo, bootdir, name, { force });
    const paths = [entry, ...files].map(byteStringToText);
    if (json) await context.output.json({ removed: paths });
    else await context.output.lines(paths.map((path) => `remove   ${bootdir}/${path}`));
  });
}
