import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import { loadZstdEncode } from '../../compression/zstd/encode.js';
import { ComposefsError, ContextError } from '../../errors.js';
import type { ProgressEvent } from '../../progress.js';
import type { Descriptor } from '../model/descriptor.js';
import type { OciDigest } from '../model/digest.js';
import { removePartial } from '../registry/partial-store.js';
import type { Transfer } from '../registry/use-blob.js';
import type { BlobLocation, LentLayer } from '../sources/image-source.js';
import type { ImportedLayer } from './import-layer-blob.js';
import { addStats, emptyStats, type ImportStats } from './import-stats.js';
import { LayerHelpers } from './layer-helpers.js';
import type { SharedObjectBatches } from './object-batches.js';
import { OneAtATime } from './one-at-a-time.js';
import type { PullContext } from './pull-context.js';
import type { PulledLayer } from './pull-options.js';
import { findArtifactLayer, findLayer } from './stored-layers.js';

/** One layer to have: `key` is its diff_id, or the blob's digest in an artifact. */
export interface WantedLayer {
  readonly key: OciDigest;
  readonly descriptor: Descriptor;
}

export interface LayerImport extends PullContext {
  /** The image or artifact whose layers they are. */
  readonly manifest: OciDigest;
  /** Whether the layers are those of a container image, with diff_ids. */
  readonly isContainer: boolean;
}

export interface ImportedLayers {
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
 * Imports the layers that the repository lacks, the largest first, each in a worker thread. The first failure stops
 * the others; layers that were complete stay registered.
 */
export async function importLayers(wanted: readonly WantedLayer[], context: LayerImport): Promise<ImportedLayers> {
  const { source, progress } = context;
  const refs = new Map<string, ObjectId>();
  const missing: WantedLayer[] = [];
  let present = 0;
  let total = 0;
  // An image may list a layer twice; one import serves both.
  for (const layer of new Map(wanted.map((each) => [each.key, each])).values()) {
    const existing = storedLayer(layer, context);
    total += layer.descriptor.size;
    if (existing === undefined) missing.push(layer);
    else {
      refs.set(layer.key, existing);
      present += layer.descriptor.size;
      // A crash just after the layer got its name leaves what was kept of it.
      if (source.isRemote === true && source.lendLayer === undefined)
        dropPartial(await source.locateBlob(layer.descriptor));
    }
  }
  progress.report({ type: 'plan', total, present, unit: 'bytes' });
  for (const key of refs.keys()) progress.report({ type: 'skipped', id: key });

  // This thread needs it for config and manifest, and is idle meanwhile. What fails here fails there again.
  if (missing.length > 0) loadZstdEncode().catch(() => undefined);
  missing.sort((a, b) => b.descriptor.size - a.descriptor.size);
  const imported = await runAll(missing, context);
  let stats: ImportStats = { ...emptyStats(), layers: wanted.length, layersAlreadyPresent: refs.size };
  const transfers = new Map<string, Transfer>();
  for (const [key, layer] of imported) {
    if (typeof layer === 'string') {
      refs.set(key, layer);
      stats = addStats(stats, { ...emptyStats(), layersAlreadyPresent: 1 });
      continue;
    }
    refs.set(key, layer.id);
    stats = addStats(stats, layer.stats);
    transfers.set(key, layer.transfer ?? NOTHING);
  }
  const layers = wanted.map(({ key, descriptor }): PulledLayer => {
    const transfer = transfers.get(key);
    // A second occurrence costs nothing.
    transfers.set(key, NOTHING);
    return { key, blob: descriptor, wasPresent: transfer === undefined, transfer: transfer ?? NOTHING };
  });
  return { refs, stats, layers };
}

const NOTHING: Transfer = { fetchedBytes: 0, resumedBytes: 0 };

/** The layer's splitstream, if it is stored and whole. */
function storedLayer(layer: WantedLayer, { repo, isContainer, manifest }: LayerImport): ObjectId | undefined {
  return isContainer ? findLayer(repo, layer.key, manifest) : findArtifactLayer(repo, layer.descriptor, manifest);
}

function dropPartial(location: BlobLocation): void {
  if (location.kind !== 'registry' || location.partial === undefined) return;
  removePartial(location.partial, location.digest);
}

/** A layer that another pull of this process has stored meanwhile is known by its splitstream only. */
type Imported = readonly [key: OciDigest, layer: ImportedLayer | ObjectId];

const running = new OneAtATime<ImportedLayer>();

async function runAll(layers: readonly WantedLayer[], context: LayerImport): Promise<Imported[]> {
  const { repo, progress, names, releases } = context;
  const stop = new AbortController();
  const signal = context.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, context.signal]);
  const helpers = new LayerHelpers(layers.length, context.pool, repo.objects.options, signal);
  let failure: { error: unknown } | undefined;
  const imports = layers.map(async (layer): Promise<Imported | undefined> => {
    let shared: SharedObjectBatches | undefined;
    try {
      const { result, release } = await running.run(repo, importName(layer, context), signal, async () => {
        shared = helpers.share();
        return await importLayer(layer, shared, context, signal);
      });
      if (release !== undefined) {
        releases.push(release);
        return [layer.key, result];
      }
      progress.report({ type: 'skipped', id: layer.key });
      // Who has stored it may not have given it its name yet.
      const times = { namedAt: process.hrtime.bigint(), syncedAt: undefined };
      names.addLayer(result, layer.key, times, () => undefined);
      return [layer.key, result.id];
    } catch (error) {
      // The first failure is the cause; those that it stops are not.
      failure ??= { error };
      stop.abort(error);
      return undefined;
    } finally {
      helpers.end(shared);
    }
  });
  helpers.start();
  const results = await Promise.all(imports);
  if (failure !== undefined) throw failure.error;
  return results.filter((result) => result !== undefined);
}

/** The same layer has one name in every image, and another in an artifact. */
function importName({ key }: WantedLayer, { isContainer }: LayerImport): string {
  return `${isContainer ? 'layer' : 'blob'} ${key}`;
}

async function importLayer(
  layer: WantedLayer,
  shared: SharedObjectBatches | undefined,
  context: LayerImport,
  signal: AbortSignal,
): Promise<ImportedLayer> {
  const { source, progress, downloads, names } = context;
  const { key, descriptor } = layer;
  const run = (lent: LentLayer): Promise<ImportedLayer> => runImport(key, lent, shared, context, signal);
  try {
    let imported: ImportedLayer;
    let location: BlobLocation | undefined;
    if (source.lendLayer !== undefined) {
      const lend = source.lendLayer.bind(source);
      imported = await downloads.run(source.reference, () => lend(descriptor, signal, run), signal);
    } else {
      location = await source.locateBlob(descriptor);
      const located = { location, descriptor, progressed: () => undefined };
      const host = location.kind === 'registry' ? location.endpoints[0]?.host : undefined;
      imported = await (host === undefined ? run(located) : downloads.run(host, () => run(located), signal));
    }
    names.addLayer(imported, key, imported.times, () => {
      if (location !== undefined) dropPartial(location);
    });
    progress.report({ type: 'done', id: key, transferred: descriptor.size });
    return imported;
  } catch (error) {
    if (signal.aborted && error === signal.reason) throw error;
    throw new ContextError(`Failed to import layer ${descriptor.digest}`, error);
  }
}

async function runImport(
  key: OciDigest,
  { location, descriptor, progressed }: LentLayer,
  shared: SharedObjectBatches | undefined,
  { repo, pool, progress, isContainer, limits }: LayerImport,
  signal: AbortSignal,
): Promise<ImportedLayer> {
  const input = { store: repo.objects.options, location, descriptor, key, isContainer, shared, limits };
  const onProgress = (event: ProgressEvent): void => {
    progressed();
    progress.report(event);
  };
  return await pool.run('import-layer', input, { signal, onProgress });
}
