import { ComposefsError } from '../../errors.js';
import {
  type ExportedDigests,
  exportImage,
  findImage,
  parseExportTarget,
  type Recompression,
  STANDARD_OUTPUT,
} from '../../index.js';
import type { Context } from '../context/context.js';
import { withReadableRepository } from '../context/open-repository.js';
import { parseArgumentValue } from '../context/usage-error.js';
import { type ProgressOptions, withProgress } from '../progress/with-progress.js';
import { printToStderr } from '../terminal/warning.js';

export interface OciExportOptions extends ProgressOptions {
  readonly recompress?: Recompression;
  readonly level?: number;
  readonly force?: boolean;
  readonly referrers?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export async function ociExport(context: Context, name: string, to: string, options: OciExportOptions): Promise<void> {
  const target = parseArgumentValue('<TARGET>', to, parseExportTarget);
  const toOutput = target.path === STANDARD_OUTPUT && options.dryRun !== true;
  if (toOutput && context.output.isTerminal) {
    throw new ComposefsError('IS_A_TERMINAL', 'Refusing to write an archive to the terminal', {
      hint: 'redirect standard output to a file or a pipe',
    });
  }
  const { recompress, level, referrers, force: replace, dryRun } = options;
  await withReadableRepository(context, async (repo) => {
    const digests = await withProgress(
      options,
      async (running) =>
        exportImage(repo, await findImage(repo, name), target, {
          recompress,
          level,
          referrers,
          replace,
          dryRun,
          output: (content) => context.output.bytes(content),
          ...running,
        }),
      'nothing was written',
    );
    if (options.json && !toOutput) return await context.output.json(jsonResult(digests, to));
    const lines = options.json ? [JSON.stringify(jsonResult(digests, to))] : renderResult(digests, to, options);
    if (toOutput) printToStderr(...lines);
    else await context.output.lines(lines);
  });
}

function renderResult(digests: ExportedDigests, to: string, { quiet, dryRun }: OciExportOptions): string[] {
  const { manifestDigest, configDigest, pulledDigest, referrers = [] } = digests;
  if (quiet) return [manifestDigest ?? configDigest];
  return [
    ...(manifestDigest === undefined ? [] : [`manifest ${manifestDigest}`]),
    ...(manifestDigest === undefined || manifestDigest === pulledDigest ? [] : [`pulled   ${pulledDigest}`]),
    `config   ${configDigest}`,
    ...referrers.map((digest) => `referrer ${digest}`),
    ...(dryRun ? [] : [`written  ${to}`]),
  ];
}

function jsonResult({ manifestDigest, configDigest, pulledDigest, referrers }: ExportedDigests, to: string): unknown {
  return {
    manifest_digest: manifestDigest ?? null,
    config_digest: configDigest,
    pulled_digest: pulledDigest,
    ...(referrers !== undefined && { referrers }),
    target: to,
  };
}
