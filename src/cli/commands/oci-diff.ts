import { type Aspect, summarise } from '../../composefs/index.js';
import { compareImages, type XattrFiltering } from '../../index.js';
import type { Context } from '../context/context.js';
import { ExitStatus } from '../context/exit-status.js';
import { withReadableRepository } from '../context/open-repository.js';
import { withTroubleStatus } from '../context/trouble.js';
import { withDelayedProgress } from '../progress/delayed.js';
import { describeDifference, describeSummary, differenceLine, summaryLine } from '../terminal/difference-lines.js';
import { findCompared } from './compared.js';

export interface OciDiffOptions {
  readonly ignore?: readonly Aspect[];
  readonly noRenames?: boolean;
  readonly asImage?: boolean;
  readonly xattrs: XattrFiltering;
  readonly summary?: boolean;
  readonly json?: boolean;
}

/** How two images or directories differ. Exit status as diff(1): 0 not at all, 1 they do, 2 they cannot be compared. */
export async function ociDiff(context: Context, a: string, b: string, options: OciDiffOptions): Promise<void> {
  await withTroubleStatus(context, async () => {
    const differences = await withReadableRepository(context, async (repo) => {
      const [first, second] = [await findCompared(repo, a), await findCompared(repo, b)];
      return await withDelayedProgress((running) =>
        compareImages(repo, first, second, {
          ignore: options.ignore,
          renames: options.noRenames !== true,
          directoriesAsImages: options.asImage === true ? options.xattrs : undefined,
          ...running,
        }),
      );
    });
    const summary = summarise(differences);
    if (options.json) {
      const described = options.summary ? {} : { differences: differences.map(describeDifference) };
      await context.output.json({ same: differences.length === 0, summary: describeSummary(summary), ...described });
    } else if (options.summary) {
      await context.output.line(summaryLine(summary));
    } else if (differences.length > 0) {
      await context.output.lines(differences.map(differenceLine));
    }
    if (differences.length > 0) throw new ExitStatus(1);
  });
}
