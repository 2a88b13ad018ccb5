import { runningRoots } from '../../boot/index.js';
import { formatGcResult, gcResultToWire, type Repository } from '../../composefs/index.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';
import { withDelayedProgress } from '../progress/delayed.js';
import { warn } from '../terminal/warning.js';

/** What Ctrl-C leaves. */
export const GC_INTERRUPTED = 'part of the garbage may be deleted; the next gc deletes the rest';

export interface GcOptions {
  readonly root?: readonly string[];
  readonly dryRun?: boolean;
  /** Milliseconds. */
  readonly keepNewerThan?: number;
  readonly json?: boolean;
}

export async function gc(context: Context, options: GcOptions): Promise<void> {
  await withRepository(context, async (repo) => {
    const dryRun = options.dryRun === true;
    const roots: string[] = runningRoots(repo.algorithm);
    for (const root of options.root ?? []) roots.push(await entryOf(repo, root));
    // There is nothing else to do here meanwhile: no thread of its own.
    const how = { threads: 0, keepNewerThan: options.keepNewerThan, roots, dryRun };
    const result = await withDelayedProgress(
      (running) => repo.gc({ ...how, ...running }),
      dryRun ? undefined : GC_INTERRUPTED,
    );
    for (const ref of result.danglingRefs ?? []) {
      warn(`${ref} names what is gone, and keeps nothing alive: store it again, or remove the reference`);
    }
    if (options.json) return await context.output.json({ dry_run: dryRun, ...gcResultToWire(result) });
    const text = formatGcResult(result, dryRun);
    await context.output.lines(text.trimEnd().split('\n'));
  });
}

/** The entry in `streams/` or `images/` that a text names. Of one that is not there nothing is kept, as in the reference. */
async function entryOf(repo: Repository, text: string): Promise<string> {
  // It takes what reads images, which is half of what this command would load.
  const { findRoot } = await import('../../index.js');
  const found = await findRoot(repo, text);
  if (found === undefined) warn(`there is no image or stream ${text}: nothing is kept for it`);
  return found ?? text;
}
