import type { Repository } from '../../composefs/repository/index.js';
import { formatStats, type Platform, type PullResult, parsePlatform, pull } from '../../oci/index.js';
import type { Context } from '../context.js';
import { withInterrupt } from '../interrupt.js';
import { renderJson } from '../json.js';
import { withRepository } from '../open-repository.js';
import { createProgressDisplay, type ProgressMode } from '../progress/select.js';
import { parseArgumentValue } from '../usage-error.js';

export interface OciPullOptions {
  readonly platform?: string;
  readonly progress: ProgressMode;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

export async function ociPull(
  context: Context,
  image: string,
  name: string | undefined,
  options: OciPullOptions,
): Promise<void> {
  const { platform: wanted } = options;
  const platform =
    wanted === undefined ? undefined : parseArgumentValue('--platform <PLATFORM>', wanted, parsePlatform);
  const tag = name ?? image;
  await withRepository(context, async (repo) => {
    const result = await pullWithProgress(repo, image, tag, platform, options);
    await context.output.write(renderResult(result, tag, options));
  });
}

async function pullWithProgress(
  repo: Repository,
  image: string,
  tag: string,
  platform: Platform | undefined,
  options: OciPullOptions,
): Promise<PullResult> {
  const display = createProgressDisplay(options.quiet ? 'none' : options.progress, process.stderr);
  try {
    return await withInterrupt((signal) => pull(repo, image, tag, { progress: display, platform, signal }));
  } finally {
    display.finish();
  }
}

function renderResult(result: PullResult, tag: string, options: OciPullOptions): string {
  const { manifestDigest, manifestVerity, configDigest, configVerity, stats } = result;
  if (options.quiet) return `${manifestDigest}\n`;
  if (options.json) {
    return renderJson({
      manifest_digest: manifestDigest,
      manifest_verity: manifestVerity,
      config_digest: configDigest,
      config_verity: configVerity,
      tag,
      objects: {
        copied: stats.objectsCopied,
        reflinked: stats.objectsReflinked,
        hardlinked: stats.objectsHardlinked,
        already_present: stats.objectsAlreadyPresent,
        bytes_copied: stats.bytesCopied,
        bytes_reflinked: stats.bytesReflinked,
        bytes_hardlinked: stats.bytesHardlinked,
        bytes_inlined: stats.bytesInlined,
      },
    });
  }
  return [
    `manifest ${manifestDigest}\n`,
    `config   ${configDigest}\n`,
    `verity   ${manifestVerity}\n`,
    `tagged   ${tag}\n`,
    `objects  ${formatStats(stats)}\n`,
  ].join('');
}
