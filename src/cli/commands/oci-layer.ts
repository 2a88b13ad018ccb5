import { ComposefsError } from '../../errors.js';
import { layerDumpfile, layerInfo, layerTar } from '../../oci/layers.js';
import { parseOciDigest } from '../../oci/model/digest.js';
import type { Context } from '../context.js';
import { renderJson } from '../json.js';
import { withRepository } from '../open-repository.js';
import { parseArgumentValue } from '../usage-error.js';

export interface OciLayerOptions {
  readonly dumpfile?: boolean;
  readonly json?: boolean;
}

export async function ociLayer(context: Context, layer: string, options: OciLayerOptions): Promise<void> {
  const diffId = parseArgumentValue('<LAYER>', layer, parseOciDigest);
  await withRepository(context, async (repo) => {
    if (options.json) return await context.output.write(renderJson(layerInfo(repo, diffId)));
    if (options.dumpfile) return await context.output.writeText(layerDumpfile(repo, diffId));
    if (context.output.isTerminal) {
      throw new ComposefsError(
        'IS_A_TERMINAL',
        'Refusing to write tar data to terminal. Redirect to a file, pipe to tar, or use --json for metadata.',
      );
    }
    await context.output.writeChunks(layerTar(repo, diffId));
  });
}
