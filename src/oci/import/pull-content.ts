import type { Repository } from '../../composefs/repository/repository.js';
import { ComposefsError, withContext, withContextAsync } from '../../errors.js';
import type { ProgressReporter } from '../../progress.js';
import type { Transfer } from '../blob/layer-blob.js';
import { extractDiffIds } from '../model/diff-ids.js';
import { type ImageManifest, isContainerImage, isDelta, type ManifestDocument } from '../model/manifest.js';
import type { ImageSource } from '../sources/image-source.js';
import { findConfig } from '../store/config-stream.js';
import type { ImageContent } from '../store/link-image.js';
import { pullBlobs, StoredBlobs } from './keep-blobs.js';
import { addStats, type ImportStats } from './layer/import-stats.js';
import type { PullContext } from './pull-context.js';
import { type PulledLayers, pairLayers, pullLayers } from './pull-layers.js';
import type { PulledLayer } from './pull-options.js';

export interface PulledContent extends ImageContent {
  readonly isContainer: boolean;
  readonly stats: ImportStats;
  /** Sum of the layers'. */
  readonly transfer: Transfer;
  readonly pulledLayers: readonly PulledLayer[];
}

/** Reads the config of an image or artifact, and stores its layers. */
export async function pullContent(manifest: ManifestDocument, context: PullContext): Promise<PulledContent> {
  const { repo, source, progress, signal } = context;
  const { value, digest } = manifest;
  refuseDelta(value);
  const isContainer = isContainerImage(value);
  const fromSource = source.layer.bind(source);
  const layerContext = { ...context, isContainer, manifest: digest, layer: fromSource };
  const what = `${source.context.content} ${digest}`;
  const { config, keys, blobs, refs, stats, layers } = await withContextAsync(what, async () => {
    const config = await readConfig(repo, source, value, progress);
    const keys = withContext(`Failed to parse config ${value.config.digest}`, () =>
      extractDiffIds(value.config.mediaType, config, value.layers),
    );
    const wanted = pairLayers(keys, value.layers);
    if (!context.keepBlobs || !isContainer) {
      return { config, keys, blobs: undefined, ...(await pullLayers(wanted, layerContext)) };
    }
    const blobs = await pullBlobs(wanted, layerContext);
    const stored = new StoredBlobs(repo, blobs.refs, fromSource);
    try {
      const pulled = await pullLayers(wanted, { ...layerContext, layer: (descriptor) => stored.layer(descriptor) });
      return { config, keys, blobs: blobs.refs, ...withTransfers(pulled, blobs) };
    } finally {
      stored.close();
    }
  });
  signal?.throwIfAborted();
  const transfer = sumOf(layers);
  return {
    manifest,
    config,
    keys,
    layers: refs,
    ...(blobs && { blobs }),
    isContainer,
    stats,
    transfer,
    pulledLayers: layers,
  };
}

/** What has come over the network came for the blobs. */
function withTransfers(pulled: PulledLayers, blobs: PulledLayers): PulledLayers {
  const transfers = new Map(blobs.layers.map(({ key, transfer }) => [key, transfer]));
  const layers = pulled.layers.map((layer) => ({
    ...layer,
    transfer: transfers.get(layer.blob.digest) ?? layer.transfer,
  }));
  return { ...pulled, stats: addStats(pulled.stats, { ...blobs.stats, layers: 0, layersAlreadyPresent: 0 }), layers };
}

function sumOf(layers: readonly PulledLayer[]): Transfer {
  let [fetchedBytes, resumedBytes] = [0, 0];
  for (const { transfer } of layers) {
    fetchedBytes += transfer.fetchedBytes;
    resumedBytes += transfer.resumedBytes;
  }
  return { fetchedBytes, resumedBytes };
}

function refuseDelta(manifest: ImageManifest): void {
  if (!isDelta(manifest)) return;
  throw new ComposefsError('UNSUPPORTED_DELTA', 'The image is an OCI delta artifact, which cannot be applied', {
    hint: 'pull the full image instead',
  });
}

/** The config's bytes: the stored ones where they are intact, else those of the source. */
async function readConfig(
  repo: Repository,
  source: ImageSource,
  { config: descriptor, layers }: ImageManifest,
  progress: ProgressReporter,
): Promise<Buffer> {
  const stored = findConfig(repo, descriptor.digest);
  if (stored !== undefined) {
    progress.report({ type: 'message', text: `Already have container config ${descriptor.digest}` });
    return stored.data;
  }
  progress.report({ type: 'message', text: `Fetching config ${descriptor.digest}` });
  // An image that is new has layers that are new, most likely.
  source.expectLayers?.(layers.length);
  const context = `${source.context.config} ${descriptor.digest}`;
  return await withContextAsync(context, () => source.readBlob(descriptor));
}
