import { formatGcResult } from '../../composefs/repository/index.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';
import { warn, warningReporter } from '../terminal/warning.js';

export interface GcOptions {
  readonly root?: readonly string[];
  readonly dryRun?: boolean;
}

export async function gc(context: Context, options: GcOptions): Promise<void> {
  await withRepository(context, async (repo) => {
    const roots = options.root ?? [];
    // There is nothing else to do here meanwhile: no thread of its own.
    const how = { threads: 0, progress: warningReporter };
    const result = await (options.dryRun ? repo.gcDryRun(roots, how) : repo.gc(roots, how));
    for (const ref of result.danglingRefs ?? []) {
      warn(`${ref} names what is gone, and keeps nothing alive: store it again, or remove the reference`);
    }
    const text = formatGcResult(result, options.dryRun === true);
    await context.output.lines(text.trimEnd().split('\n'));
  });
}
