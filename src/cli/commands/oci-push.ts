import { findImage, type PushResult, parsePushReference, pushImage, type Recompression } from '../../index.js';
import type { Context } from '../context/context.js';
import { withReadableRepository } from '../context/open-repository.js';
import { type TransferOptions, transferSettings } from '../context/transfer-options.js';
import { parseArgumentValue } from '../context/usage-error.js';
import { type ProgressOptions, withProgress } from '../progress/with-progress.js';

export interface OciPushOptions extends TransferOptions, ProgressOptions {
  readonly recompress?: Recompression;
  readonly level?: number;
  readonly referrers?: boolean;
  readonly dryRun?: boolean;
  /** MiB. */
  readonly chunkSize?: number;
  readonly json?: boolean;
}

export async function ociPush(context: Context, name: string, to: string, options: OciPushOptions): Promise<void> {
  parseArgumentValue('<TARGET>', to, parsePushReference);
  const settings = await transferSettings(options);
  const { recompress, level, referrers, dryRun, chunkSize } = options;
  await withReadableRepository(context, async (repo) => {
    const result = await withProgress(
      options,
      async (running) =>
        pushImage(repo, await findImage(repo, name), to, {
          ...settings,
          recompress,
          level,
          referrers,
          dryRun,
          ...(chunkSize !== undefined && { chunkSize: chunkSize * 2 ** 20 }),
          ...running,
        }),
      'the registry keeps what it has, and the same command sends the rest',
    );
    if (options.quiet) await context.output.line(result.manifestDigest);
    else if (options.json) await context.output.json(jsonResult(result));
    else await context.output.lines(renderResult(result, dryRun === true));
  });
}

function renderResult(
  { manifestDigest, pulledDigest, configDigest, blobs, referrers, reference }: PushResult,
  isDry: boolean,
): string[] {
  const count = (outcome: string): number => blobs.filter((blob) => blob.outcome === outcome).length;
  return [
    `manifest ${manifestDigest}`,
    ...(manifestDigest === pulledDigest ? [] : [`pulled   ${pulledDigest}`]),
    `config   ${configDigest}`,
    ...referrers.map((digest) => `referrer ${digest}`),
    ...(isDry
      ? []
      : [
          `blobs    ${count('uploaded')} uploaded, ${count('mounted')} mounted, ${count('present')} there already`,
          `pushed   ${reference}`,
        ]),
  ];
}

function jsonResult({ manifestDigest, pulledDigest, configDigest, blobs, referrers, reference }: PushResult): unknown {
  return {
    manifest_digest: manifestDigest,
    config_digest: configDigest,
    pulled_digest: pulledDigest,
    reference,
    blobs,
    referrers,
  };
}
