import { formatObjectId } from '../../composefs/index.js';
import { importLayer, parseOciDigest } from '../../index.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';
import { type LayerLimitOptions, layerLimits } from '../context/options.js';
import { parseArgumentValue } from '../context/usage-error.js';
import { withDelayedProgress } from '../progress/delayed.js';
import { counted, standardInput } from './standard-input.js';

export async function ociImportLayer(
  context: Context,
  digest: string,
  name: string | undefined,
  options: LayerLimitOptions,
): Promise<void> {
  const diffId = parseArgumentValue('<DIGEST>', digest, parseOciDigest);
  await withRepository(context, async (repo) => {
    const limits = layerLimits(options);
    const { verity } = await withDelayedProgress(({ progress, signal }) =>
      importLayer(repo, diffId, name, counted(standardInput('a tar file'), diffId, progress), {
        layerLimits: limits,
        signal,
      }),
    );
    await context.output.line(formatObjectId(repo.algorithm, verity));
  });
}
