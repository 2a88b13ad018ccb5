import type { Repository } from '../../composefs/repository/index.js';
import { ComposefsError } from '../../errors.js';
import type { GivenCredentials } from '../../oci/containers-config/registry-config.js';
import { formatStats, newBytes } from '../../oci/import/import-stats.js';
import { pull } from '../../oci/import/pull.js';
import type { PullOptions, PullResult } from '../../oci/import/pull-options.js';
import type { LayerRules } from '../../oci/layer/layer-rules.js';
import { parsePlatform } from '../../oci/model/platform.js';
import type { Context } from '../context/context.js';
import { withInterrupt } from '../context/interrupt.js';
import { withRepository } from '../context/open-repository.js';
import { type LayerLimitOptions, layerLimits } from '../context/options.js';
import { canPrompt, prompt } from '../context/prompt.js';
import { type RegistryOptions, registryConfig } from '../context/registry-options.js';
import { parseArgumentValue, UsageError } from '../context/usage-error.js';
import { openDescriptor } from '../progress/descriptor.js';
import type { ProgressDisplay } from '../progress/display.js';
import { JsonLinesProgress } from '../progress/json-lines.js';
import { combineDisplays, createProgressDisplay, type ProgressMode } from '../progress/select.js';

export interface OciPullOptions extends RegistryOptions, LayerLimitOptions {
  readonly platform?: string;
  readonly creds?: string;
  readonly signaturePolicy?: string;
  readonly referrers?: boolean;
  readonly via?: 'skopeo';
  readonly layerRules?: LayerRules;
  /** Further attempts after a failed request. */
  readonly retry?: number;
  /** Seconds. */
  readonly timeout?: number;
  readonly minRate?: number;
  readonly progress?: ProgressMode;
  readonly progressFd?: number;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

export async function ociPull(
  context: Context,
  image: string,
  name: string | undefined,
  options: OciPullOptions,
): Promise<void> {
  const tag = name ?? image;
  const settings = await pullOptions(options);
  await withRepository(context, async (repo) => {
    const start = performance.now();
    const result = await pullWithProgress(repo, image, tag, settings, options);
    const seconds = (performance.now() - start) / 1000;
    if (options.quiet) await context.output.line(result.manifestDigest);
    else if (options.json) await context.output.json(jsonResult(result, tag, seconds));
    else await context.output.lines(renderResult(result, tag));
  });
}

async function pullOptions(options: OciPullOptions): Promise<PullOptions> {
  const { platform, creds, signaturePolicy, referrers, via, layerRules, retry, timeout, minRate } = options;
  const milliseconds = timeout === undefined ? undefined : timeout * 1000;
  return {
    ...(platform !== undefined && {
      platform: parseArgumentValue('--platform <PLATFORM>', platform, parsePlatform),
    }),
    ...(retry !== undefined && { retry: { attempts: retry + 1 } }),
    timeouts: {
      ...(milliseconds !== undefined && { connectMs: milliseconds, headersMs: milliseconds, idleMs: milliseconds }),
      ...(minRate !== undefined && { minBytesPerSecond: minRate }),
    },
    registry: {
      ...registryConfig(options),
      ...(creds !== undefined && { credentials: await parseCredentials(creds) }),
    },
    signaturePolicy,
    referrers,
    via,
    layerRules,
    layerLimits: layerLimits(options),
  };
}

/** `USER[:PASSWORD]`; a password that is left out is asked for, as by podman. */
async function parseCredentials(text: string): Promise<GivenCredentials> {
  const colon = text.indexOf(':');
  const username = colon < 0 ? text : text.slice(0, colon);
  if (username === '') {
    throw new UsageError(`invalid value for '--creds <USER[:PASSWORD]>': the user name is empty`);
  }
  if (colon >= 0) return { username, password: text.slice(colon + 1) };
  if (!canPrompt()) {
    throw new ComposefsError('NO_TERMINAL', `There is no terminal to ask for the password of '${username}'`, {
      hint: 'give --creds USER:PASSWORD, or log in first with `cfsctl oci login`',
    });
  }
  return { username, password: await prompt('Password: ', { secret: true }) };
}

async function pullWithProgress(
  repo: Repository,
  image: string,
  tag: string,
  settings: PullOptions,
  options: OciPullOptions,
): Promise<PullResult> {
  const display = createDisplay(options);
  try {
    return await withInterrupt(async (signal) => {
      const onAbort = (): void => display.report({ type: 'message', text: 'Stopping; Ctrl-C again stops at once' });
      signal.addEventListener('abort', onAbort, { once: true });
      return await pull(repo, image, tag, { ...settings, progress: display, signal });
    }, 'what was received is kept, and the same command goes on from there');
  } finally {
    display.finish();
  }
}

/** A program that reads the descriptor shows progress itself; standard error is then for what else is to be said. */
function createDisplay({ progress, progressFd, quiet }: OciPullOptions): ProgressDisplay {
  const fallback = progressFd === undefined ? 'auto' : 'none';
  const display = createProgressDisplay(quiet ? 'none' : (progress ?? fallback), process.stderr);
  if (progressFd === undefined) return display;
  return combineDisplays([display, new JsonLinesProgress(openDescriptor(progressFd))]);
}

function renderResult(result: PullResult, tag: string): string[] {
  const { manifestDigest, manifestVerity, configDigest, stats } = result;
  return [
    `manifest ${manifestDigest}`,
    `config   ${configDigest}`,
    `verity   ${manifestVerity}`,
    `tagged   ${tag}`,
    `objects  ${formatStats(stats)}`,
  ];
}

function jsonResult(result: PullResult, tag: string, seconds: number): unknown {
  const { stats, transfer } = result;
  return {
    manifest_digest: result.manifestDigest,
    manifest_verity: result.manifestVerity,
    config_digest: result.configDigest,
    config_verity: result.configVerity,
    tag,
    images: result.images.map(({ version, id }) => ({ format_version: `V${version}`, id })),
    layers: result.layers.map(({ key, blob, wasPresent, transfer: { fetchedBytes, resumedBytes } }) => ({
      id: key,
      digest: blob.digest,
      size: blob.size,
      reused: wasPresent,
      bytes_fetched: fetchedBytes,
      bytes_resumed: resumedBytes,
    })),
    referrers: result.referrers,
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
    bytes_fetched: transfer.fetchedBytes,
    bytes_resumed: transfer.resumedBytes,
    bytes_stored: newBytes(stats),
    seconds: Math.round(seconds * 1000) / 1000,
  };
}
