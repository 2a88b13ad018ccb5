import { pruneBootEntries } from '../../boot/index.js';
import { byteStringToText } from '../../composefs/index.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';

export interface BootPruneOptions {
  readonly bootdir: string;
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

export async function bootPrune(context: Context, options: BootPruneOptions): Promise<void> {
  const { bootdir, dryRun, force, json } = options;
  await withRepository(context, async (repo) => {
    const { removed, released } = await pruneBootEntries(repo, bootdir, { dryRun, force });
    const paths = removed.flatMap(({ entry, files }) => [entry, ...files]);
    if (json) {
      const wire = { dry_run: dryRun === true, removed: paths.map(byteStringToText), released };
      return await context.output.json(wire);
    }
    const lines = [
      ...paths.map((path) => `remove   ${bootdir}/${byteStringToText(path)}`),
      ...released.map((name) => `release  images/refs/boot/${name}`),
    ];
    await context.output.lines(lines.length === 0 ? ['No boot entries to remove'] : lines);
  });
}
