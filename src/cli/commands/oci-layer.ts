import { ComposefsError } from '../../errors.js';
import { isDigestText, layerDumpfile, layerInfo, layerTar, parseOciDigest, resolveLayer } from '../../index.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';
import { parseArgumentValue } from '../context/usage-error.js';

const LAYERS_HINT = '`cfsctl oci history IMAGE` lists the layers of an image';

export interface OciLayerOptions {
  readonly dumpfile?: boolean;
  readonly json?: boolean;
}

export async function ociLayer(context: Context, layer: string, options: OciLayerOptions): Promise<void> {
  if (!isDigestText(layer)) parseArgumentValue('<LAYER>', layer, parseLayer);
  await withRepository(context, async (repo) => {
    const diffId = resolveLayer(repo, layer);
    if (options.json) return await context.output.json(await layerInfo(repo, diffId));
    if (options.dumpfile) return await context.output.lines(linesOf(layerDumpfile(repo, diffId)));
    if (context.output.isTerminal) {
      throw new ComposefsError(
        'IS_A_TERMINAL',
        'Refusing to write tar data to terminal. Redirect to a file, pipe to tar, or use --json for metadata.',
      );
    }
    await context.output.bytes(layerTar(repo, diffId));
  });
}

function parseLayer(text: string): void {
  try {
    parseOciDigest(text);
  } catch (error) {
    if (!(error instanceof ComposefsError)) throw error;
    throw new ComposefsError(error.code, error.message, { hint: LAYERS_HINT });
  }
}

async function* linesOf(dumpfile: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of dumpfile) yield line.slice(0, -1);
}
