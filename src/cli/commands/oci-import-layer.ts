import { formatObjectId } from '../../composefs/index.js';
import { importLayer, parseOciDigest } from '../../index.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';
import { type LayerLimitOptions, layerLimits } from '../context/options.js';
import { parseArgumentValue } from '../context/usage-error.js';

export async function ociImportLayer(
  context: Context,
  digest: string,
  name: string | undefined,
  options: LayerLimitOptions,
): Promise<void> {
  const diffId = parseArgumentValue('<DIGEST>', digest, parseOciDigest);
  await withRepository(context, async (repo) => {
    const { verity } = await importLayer(repo, diffId, name, process.stdin, { layerLimits: layerLimits(options) });
    await context.output.line(formatObjectId(repo.algorithm, verity));
  });
}
