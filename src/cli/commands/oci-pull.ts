import { type ObjectId, parseObjectId, type Repository } from '../../composefs/index.js';
import { ComposefsError, withContext } from '../../errors.js';
import {
  type BootImageMatch,
  findMatchingBootImage,
  formatStats,
  type LayerRules,
  newBytes,
  type PullOptions,
  type PullResult,
  parsePlatform,
  pull,
} from '../../index.js';
import type { Context } from '../context/context.js';
import { withInterrupt } from '../context/interrupt.js';
import { withRepository } from '../context/open-repository.js';
import { type LayerLimitOptions, layerLimits } from '../context/options.js';
import { type TransferOptions, transferSettings } from '../context/transfer-options.js';
import { parseArgumentValue } from '../context/usage-error.js';
import { type ProgressOptions, withProgress } from '../progress/with-progress.js';
import { warningReporter } from '../terminal/warning.js';

/** The values of `--local-fetch` as the library calls them. */
const LOCAL_FETCH = { disabled: 'disabled', auto: 'if-possible', zerocopy: 'zero-copy' } as const;

export interface OciPullOptions extends TransferOptions, ProgressOptions, LayerLimitOptions {
  readonly platform?: string;
  readonly signaturePolicy?: string;
  readonly referrers?: boolean;
  readonly via?: 'skopeo';
  readonly localFetch?: keyof typeof LOCAL_FETCH;
  readonly layerRules?: LayerRules;
  readonly bootable?: boolean;
  readonly keepBlobs?: boolean;
  /** Hex; needs `bootable`. */
  readonly expectedDigest?: string;
  readonly minRate?: number;
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
    const { expectedDigest, quiet, json } = options;
    const expected =
      expectedDigest === undefined
        ? undefined
        : withContext('Parsing --expected-digest', () => parseObjectId(repo.algorithm, expectedDigest));
    // What is expected may be of another mode or format: it is looked for afterwards.
    const bootable = options.bootable === true && expected === undefined;
    const result = await withProgress(
      options,
      (running) => pull(repo, image, tag, { ...settings, bootable, ownThread: true, ...running }),
      'what was received is kept, and the same command goes on from there',
    );
    if (quiet) await context.output.line(result.manifestDigest);
    else if (!json) await context.output.lines(renderResult(result, tag));
    const boot = options.bootable ? await bootImageOf(repo, result, expected, tag).catch(failed) : undefined;
    const seconds = (performance.now() - start) / 1000;
    if (json) await context.output.json(jsonResult(result, tag, boot, seconds));
    if (boot?.failure !== undefined) throw boot.failure;
    if (boot !== undefined && !quiet && !json) await context.output.line(renderBootImage(boot));
  });
}

/** The boot image of a pull: how it was found, if it was looked for. */
interface PulledBootImage {
  readonly id?: ObjectId;
  readonly match?: Extract<BootImageMatch, { found: true }>;
  readonly failure?: unknown;
}

const failed = (failure: unknown): PulledBootImage => ({ failure });

async function bootImageOf(
  repo: Repository,
  { manifestDigest, bootImage }: PullResult,
  expected: ObjectId | undefined,
  tag: string,
): Promise<PulledBootImage> {
  if (bootImage !== undefined) return { id: bootImage };
  if (expected === undefined) {
    throw new ComposefsError('NOT_A_CONTAINER_IMAGE', 'no boot image was linked: not a container image');
  }
  const match = await withInterrupt((signal) =>
    findMatchingBootImage(repo, manifestDigest, expected, { signal, progress: warningReporter }),
  );
  if (match.found) return { id: expected, match };
  const tried = `(tried ${match.tried} mode/version combinations)`;
  const message = `No boot image configuration matched expected digest ${expected} ${tried}`;
  throw new ComposefsError('BOOT_IMAGE_NOT_FOUND', message, {
    hint: `\`cfsctl boot check ${tag} --expected-digest ${expected}\` looks for what differs`,
  });
}

function renderBootImage({ id, match }: PulledBootImage): string {
  const how = match === undefined ? '' : ` (xattr-mode=${match.mode}, format-version=V${match.version})`;
  return `Boot image: ${id}${how}`;
}

async function pullOptions(options: OciPullOptions): Promise<PullOptions> {
  const { platform, keepBlobs, signaturePolicy, referrers, via, localFetch, layerRules, minRate } = options;
  const { timeouts, ...settings } = await transferSettings(options);
  return {
    ...settings,
    ...(platform !== undefined && {
      platform: parseArgumentValue('--platform <PLATFORM>', platform, parsePlatform),
    }),
    timeouts: minRate === undefined ? timeouts : { ...timeouts, minBytesPerSecond: minRate },
    keepBlobs,
    signaturePolicy,
    referrers,
    via,
    localFetch: localFetch === undefined ? undefined : LOCAL_FETCH[localFetch],
    layerRules,
    layerLimits: layerLimits(options),
  };
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

function jsonResult(result: PullResult, tag: string, boot: PulledBootImage | undefined, seconds: number): unknown {
  const { stats, transfer } = result;
  return {
    manifest_digest: result.manifestDigest,
    manifest_verity: result.manifestVerity,
    config_digest: result.configDigest,
    config_verity: result.configVerity,
    tag,
    via: result.via,
    images: result.images.map(({ version, id }) => ({ format_version: `V${version}`, id })),
    ...(boot !== undefined && { boot_image: boot.id ?? null }),
    ...(boot?.match !== undefined && {
      boot_image_mode: boot.match.mode,
      boot_image_format_version: `V${boot.match.version}`,
    }),
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
