import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import { loadZstdEncode } from '../../compression/zstd/encode.js';
import { ComposefsError, ContextError } from '../../errors.js';
import { type LayerBlob, type LayerContent, NO_TRANSFER, type Transfer, type Transferred } from '../blob/layer-blob.js';
import type { Descriptor } from '../model/descriptor.js';
import type { OciDigest } from '../model/digest.js';
import { findArtifactLayer, findLayer } from './layer/find-layer.js';
import { addStats, emptyStats, type ImportStats } from './layer/import-stats.js';
import type { LayersTogether } from './layer/layers-together.js';
import type { NamingTimes } from './layer/name-objects.js';
import type { LayerInput, NewLayer } from './layer/store-layer.js';
import type { StoredLayer } from './layer/store-tar.js';
import { OneAtATime } from './one-at-a-time.js';
import type { PullContext } from './pull-context.js';
import type { PulledLayer } from './pull-options.js';
import { storeInThread } from './store-in-thread.js';
import { LayerHelpers } from './threads/layer-helpers.js';

/** One layer to have: `key` is its diff_id, or the blob's digest in an artifact. */
export interface WantedLayer {
  readonly key: OciDigest;
  readonly descriptor: Descriptor;
}

export interface LayersContext extends PullContext {
  /** The image or artifact whose layers they are. */
  readonly manifest: OciDigest;
  /** Whether the layers are those of a container image, with diff_ids. */
  readonly isContainer: boolean;
  /** A layer as its source has it. */
  readonly layer: (descriptor: Descriptor) => LayerBlob;
  /** Whether the layers are stored as they come, whatever is in them. */
  readonly areBlobs?: boolean;
}

export interface PulledLayers {
  /** Each wanted key to its splitstream. */
  readonly refs: ReadonlyMap<string, ObjectId>;
  readonly stats: ImportStats;
  /** As the manifest has them. */
  readonly layers: readonly PulledLayer[];
}

/**
 * Pairs diff_ids with the manifest's layers.
 *
 * @throws ComposefsError `LAYER_COUNT_MISMATCH` if there are not as many of one as of the other.
 */
export function pairLayers(diffIds: readonly OciDigest[], descriptors: readonly Descriptor[]): WantedLayer[] {
  if (diffIds.length !== descriptors.length) {
    throw new ComposefsError(
      'LAYER_COUNT_MISMATCH',
      `expected ${descriptors.length} layer refs but got ${diffIds.length}: ` +
        "the manifest's layers and the config's diff_ids differ in number",
    );
  }
  return descriptors.map((descriptor, index) => ({ key: diffIds[index] as OciDigest, descriptor }));
}

/**
 * Stores the layers that the repository lacks, the largest first, each in a thread of its own. The first failure stops
 * the others; layers that were complete stay.
 */
export async function pullLayers(wanted: readonly WantedLayer[], context: LayersContext): Promise<PulledLayers> {
  const { progress } = context;
  const refs = new Map<string, ObjectId>();
  const missing: WantedLayer[] = [];
  let present = 0;
  let total = 0;
  // An image may list a layer twice; it is stored once.
  for (const layer of new Map(wanted.map((each) => [each.key, each])).values()) {
    const existing = await storedLayer(layer, context);
    total += layer.descriptor.size;
    if (existing === undefined) missing.push(layer);
    else {
      refs.set(layer.key, existing);
      present += layer.descriptor.size;
      // A crash just after the layer got its name leaves what was kept of it.
      context.layer(layer.descriptor).stored();
    }
  }
  progress.report({ type: 'plan', total, present, unit: 'bytes' });
  for (const key of refs.keys()) progress.report({ type: 'skipped', id: key });

  // This thread needs it for config and manifest, and is idle meanwhile. What fails here fails there again.
  if (missing.length > 0) loadZstdEncode().catch(() => undefined);
  const missingBytes = missing.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  const isSmall = context.expectBytes(missingBytes) && missing.length > 0;
  const together = isSmall ? await layersTogether(context) : undefined;
  missing.sort((a, b) => b.descriptor.size - a.descriptor.size);
  let stats: ImportStats = { ...emptyStats(), layers: wanted.length, layersAlreadyPresent: refs.size };
  const transfers = new Map<string, Transfer>();
  for (const { key, id, isNew, layer } of await pullAll(missing, together, context)) {
    refs.set(key, id);
    stats = addStats(stats, isNew ? layer.result.stats : { ...emptyStats(), layersAlreadyPresent: 1 });
    if (isNew) transfers.set(key, layer.transfer);
  }
  const layers = wanted.map(({ key, descriptor }): PulledLayer => {
    const transfer = transfers.get(key);
    // A second occurrence costs nothing.
    transfers.set(key, NO_TRANSFER);
    return { key, blob: descriptor, wasPresent: transfer === undefined, transfer: transfer ?? NO_TRANSFER };
  });
  return { refs, stats, layers };
}

/** Only a small pull needs what stores layers in this thread. */
async function layersTogether({ repo }: LayersContext): Promise<LayersTogether> {
  const { LayersTogether } = await import('./layer/layers-together.js');
  return new LayersTogether(repo.objects.options);
}

/** The layer's splitstream, if it is stored and whole. */
async function storedLayer(layer: WantedLayer, context: LayersContext): Promise<ObjectId | undefined> {
  const { repo } = context;
  if (context.isContainer) return await findLayer(repo, layer.key, context);
  return await findArtifactLayer(repo, layer.descriptor, context);
}

interface Outcome {
  readonly key: OciDigest;
  readonly id: ObjectId;
  /** False: another pull of this process has stored it meanwhile. */
  readonly isNew: boolean;
  readonly layer: Transferred<NewLayer>;
}

/** Layers that are being stored, or are and have no name yet. */
const running = new OneAtATime<Transferred<NewLayer>>();

/** @param together of a small pull, whose layers this thread stores. Closed afterwards. */
async function pullAll(
  layers: readonly WantedLayer[],
  together: LayersTogether | undefined,
  context: LayersContext,
): Promise<Outcome[]> {
  const { repo, pool, progress, names, releases } = context;
  const stop = new AbortController();
  const signal = context.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, context.signal]);
  const helpers = new LayerHelpers(layers.length, pool, repo.objects.options, signal);
  const inThread = async (content: LayerContent, layer: LayerOptions): Promise<StoredLayerOfPull> => {
    const { times, ...stored } = await storeInThread(content, layer, helpers, context, signal);
    return { stored, whenNamed: async () => times };
  };
  const inThisThread =
    (layers: LayersTogether, whenNamed: () => Promise<NamingTimes>): StoreContent =>
    async (content, layer) => {
      // What podman has unpacked is not read from a blob.
      if (content.kind === 'store') return await inThread(content, layer);
      const { descriptor } = content;
      const report = progress.report.bind(progress);
      return { stored: await layers.store(content, { ...layer, descriptor }, { signal, report }), whenNamed };
    };
  let failure: { error: unknown } | undefined;
  const pulls = layers.map(async (wanted): Promise<Outcome | undefined> => {
    const { key } = wanted;
    try {
      const action = (): Promise<Transferred<NewLayer>> =>
        together === undefined
          ? pullLayer(wanted, inThread, context, signal)
          : together.run((whenNamed) => pullLayer(wanted, inThisThread(together, whenNamed), context, signal));
      const { result: layer, release } = await running.run(repo, nameOf(wanted, context), signal, action);
      const isNew = release !== undefined;
      if (isNew) releases.push(release);
      else {
        progress.report({ type: 'skipped', id: key });
        // Who has stored it may not have given it its name yet.
        await names.addLayer(layer.result, key);
      }
      return { key, id: layer.result.id, isNew, layer };
    } catch (error) {
      // The first failure is the cause; those that it stops are not.
      failure ??= { error };
      stop.abort(error);
      return undefined;
    } finally {
      helpers.end();
    }
  });
  const outcomes = await Promise.all(pulls);
  together?.close();
  if (failure !== undefined) throw failure.error;
  return outcomes.filter((outcome) => outcome !== undefined);
}

/** The same layer has one name in every image, and another in an artifact. */
function nameOf({ key }: WantedLayer, { isContainer }: LayersContext): string {
  return `${isContainer ? 'layer' : 'blob'} ${key}`;
}

type LayerOptions = Omit<LayerInput, 'descriptor'>;

interface StoredLayerOfPull {
  readonly stored: StoredLayer;
  /** To be waited for when the transfer has ended, which makes room for another one. */
  readonly whenNamed: () => Promise<NamingTimes>;
}

/** Makes a layer of its content. */
type StoreContent = (content: LayerContent, layer: LayerOptions) => Promise<StoredLayerOfPull>;

async function pullLayer(
  { key, descriptor }: WantedLayer,
  store: StoreContent,
  context: LayersContext,
  signal: AbortSignal,
): Promise<Transferred<NewLayer>> {
  const { progress, names, isContainer, limits } = context;
  try {
    const blob = context.layer(descriptor);
    const message = (text: string): void => progress.report({ type: 'message', text });
    const keptBytes = blob.keptBytes();
    const { result, transfer } = await blob.transfer(
      (content) => {
        const taken = context.areBlobs === true ? asBlob(content, descriptor) : content;
        return store(taken, { key, keptBytes, isContainer, limits });
      },
      { signal, message },
    );
    const layer: NewLayer = { ...result.stored, times: await result.whenNamed() };
    await names.addLayer(layer, key, layer.times, () => blob.stored());
    progress.report({ type: 'done', id: key, transferred: descriptor.size });
    return { result: layer, transfer };
  } catch (error) {
    if (signal.aborted && error === signal.reason) throw error;
    throw new ContextError(`Failed to import layer ${descriptor.digest}`, error);
  }
}

/** @throws ComposefsError `BLOB_NOT_AVAILABLE` where the source has the content only, or another blob. */
function asBlob(content: LayerContent, { digest, mediaType }: Descriptor): LayerContent {
  if (content.kind !== 'store' && content.descriptor.digest === digest) {
    return { ...content, descriptor: { ...content.descriptor, mediaType } };
  }
  throw new ComposefsError('BLOB_NOT_AVAILABLE', `the source does not have the blob ${digest} as it was`, {
    hint: 'without --keep-blobs the image can be pulled from there',
  });
}
