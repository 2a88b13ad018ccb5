import { fsckReport, fsckResultToWire, isFsckOk } from '../../composefs/index.js';
import { ComposefsError } from '../../errors.js';
import type { Context } from '../context/context.js';
import { withReadableRepository } from '../context/open-repository.js';
import { withDelayedProgress } from '../progress/delayed.js';
import { repairHint } from './repair-hint.js';

export interface FsckOptions {
  readonly json?: boolean;
  readonly metadataOnly?: boolean;
}

export async function fsck(context: Context, options: FsckOptions): Promise<void> {
  await withReadableRepository(context, async (repo) => {
    const result = await withDelayedProgress((running) =>
      repo.fsck({ metadataOnly: options.metadataOnly, ownThread: true, ...running }),
    );
    if (options.json) return await context.output.json(fsckResultToWire(result));
    await context.output.lines(fsckReport(result));
    if (!isFsckOk(result))
      throw new ComposefsError('FSCK_FAILED', 'repository integrity check failed', repairHint(result));
  });
}
