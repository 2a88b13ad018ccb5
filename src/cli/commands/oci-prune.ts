import { runningRoots } from '../../boot/index.js';
import { formatGcResult, gcResultToWire } from '../../composefs/index.js';
import { type PrunedTag, pruneTags } from '../../index.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';
import { withDelayedProgress } from '../progress/delayed.js';
import { GC_INTERRUPTED } from './gc.js';

export interface OciPruneOptions {
  /** Milliseconds. */
  readonly olderThan: number;
  readonly keep?: number;
  readonly dryRun?: boolean;
  readonly gc?: boolean;
  readonly json?: boolean;
}

/** Removes tags that were given long ago, and with `--gc` what only they kept. */
export async function ociPrune(context: Context, options: OciPruneOptions): Promise<void> {
  await withRepository(context, async (repo) => {
    const { olderThan, keep, dryRun = false } = options;
    const pruned = await pruneTags(repo, { olderThan, keep, dryRun });
    // Before the collection, which may be stopped: the tags are gone already.
    if (options.json !== true) await context.output.lines(lines(pruned, dryRun));
    const collected =
      options.gc === true && !dryRun
        ? await withDelayedProgress(
            (running) => repo.gc({ threads: 0, roots: runningRoots(repo.algorithm), ...running }),
            interrupted(pruned.length),
          )
        : undefined;
    if (options.json) {
      return await context.output.json({
        dry_run: dryRun,
        tags: pruned.map(({ tag, manifestDigest, taggedAt }) => ({
          tag,
          manifest_digest: manifestDigest,
          tagged: new Date(taggedAt).toISOString(),
        })),
        ...(collected !== undefined && { gc: gcResultToWire(collected) }),
      });
    }
    if (collected !== undefined) {
      await context.output.lines(formatGcResult(collected, false).trimEnd().split('\n'));
    }
  });
}

/** What Ctrl-C leaves. */
function interrupted(count: number): string {
  const removed = count === 1 ? '1 tag is removed' : `${count} tags are removed`;
  return `${removed}; ${GC_INTERRUPTED}`;
}

function lines(pruned: readonly PrunedTag[], dryRun: boolean): string[] {
  if (pruned.length === 0) return ['No tags are that old'];
  const verb = dryRun ? 'Would remove' : 'Removed';
  return pruned.map(({ tag, taggedAt }) => `${verb} ${tag} (tagged ${new Date(taggedAt).toISOString().slice(0, 10)})`);
}
