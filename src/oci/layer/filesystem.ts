import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ObjectStore } from '../../composefs/repository/objects/object-store.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { SplitStreamError } from '../../composefs/splitstream/index.js';
import { ImageError } from '../../composefs/tree/image-error.js';
import { Directory } from '../../composefs/tree/inode.js';
import { UNINITIALIZED_STAT } from '../../composefs/tree/stat.js';
import { ComposefsError, ContextError, findCause, withContext } from '../../errors.js';
import { nullReporter, type ProgressReporter } from '../../progress.js';
import type { TarRules } from '../../tar/header.js';
import { TarError } from '../../tar/tar-error.js';
import { runInTurns, runSteps, type Steps } from '../../threads/turns.js';
import type { OciDigest } from '../model/digest.js';
import { isContainerImage } from '../model/manifest.js';
import { type OpenConfig, openConfig } from '../store/config-stream.js';
import { notAContainerImage } from '../store/errors.js';
import { findManifestsOfConfig } from '../store/stored-manifests.js';
import { type OciTransformOptions, transformForOci } from '../tree/transform.js';
import { type Applier, LayerApplier } from './apply-layer.js';
import { ReferenceLayerApplier } from './apply-layer-reference.js';
import { openLayerSteps, verificationSteps } from './layer-content.js';
import { LayerDifferences, type LayerRules } from './layer-rules.js';
import { LayerError, readTarEntries, type TarEntry } from './tar-entry.js';

const ENTRIES_A_STEP = 16;

/** One layer of an image, as the config stream names it. */
export interface LayerRef {
  readonly diffId: string;
  /** The layer's splitstream. */
  readonly verity: ObjectId;
}

/** How the layers of an image become a tree. */
export interface FilesystemOptions extends OciTransformOptions {
  /** Default `oci`. */
  readonly layerRules?: LayerRules | undefined;
  /** Told how many layers are done; gets a message of level `warning` for each kind of difference to the tree of the reference. */
  readonly progress?: ProgressReporter | undefined;
}

/** How the tree of a stored image is made, and what of the store is trusted. */
export interface CreateFilesystemOptions extends FilesystemOptions {
  /**
   * The config's stream, as its user knows it from a trusted place. Without it the content of every layer is compared
   * with its diff_id first.
   */
  readonly configVerity?: ObjectId | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The layers of a config in order.
 *
 * @throws ComposefsError `MISSING_LAYER` if the config stream has no ref for a diff_id.
 */
export function configLayers(diffIds: readonly string[], refs: ReadonlyMap<string, ObjectId>): LayerRef[] {
  return diffIds.map((diffId) => {
    const verity = refs.get(diffId);
    if (verity === undefined) {
      throw new ComposefsError('MISSING_LAYER', `OCI config splitstream missing named ref to layer ${diffId}`);
    }
    return { diffId, verity };
  });
}

/**
 * The file system of an image: its layers applied in order, then the OCI transform (spec 30 §8, §9).
 *
 * @throws ComposefsError `NOT_A_CONTAINER_IMAGE` if it is the config of an artifact; `DIGEST_MISMATCH`; ImageError
 */
export async function createFilesystem(
  repo: ReadableRepository,
  configDigest: OciDigest,
  { configVerity, signal, ...options }: CreateFilesystemOptions = {},
): Promise<Directory> {
  const { config, layerRefs } = await openImageConfig(repo, configDigest, configVerity);
  const layers = configLayers(config.rootfs.diff_ids, layerRefs);
  const { progress = nullReporter } = options;
  let fetched = 0;
  const onLayer = (): void =>
    progress.report({ type: 'progress', id: 'layers', fetched: ++fetched, total: layers.length });
  progress.report({ type: 'started', id: 'layers', total: layers.length, unit: 'items' });
  const root = await repo.use(() =>
    runInTurns(filesystemSteps(repo.objects, layers, configVerity !== undefined, { ...options, onLayer }), signal),
  );
  progress.report({ type: 'done', id: 'layers', transferred: layers.length });
  return root;
}

async function openImageConfig(
  repo: ReadableRepository,
  digest: OciDigest,
  configVerity: ObjectId | undefined,
): Promise<OpenConfig> {
  try {
    return openConfig(repo, digest, { configVerity });
  } catch (cause) {
    const [stored] = await findManifestsOfConfig(repo, digest);
    if (stored === undefined || isContainerImage(stored.manifest)) throw cause;
    throw notAContainerImage(stored.digest, stored.manifest);
  }
}

interface StepsOptions extends FilesystemOptions {
  /** Called after each layer. */
  readonly onLayer?: (() => void) | undefined;
}

/** {@link createFilesystem} from its parts. `trusted` layers are not hashed. */
export function* filesystemSteps(
  objects: ObjectStore,
  layers: readonly LayerRef[],
  trusted: boolean,
  options: StepsOptions,
): Steps<Directory> {
  const root = yield* layerTreeSteps(objects, layers, trusted, options);
  const strict = options.layerRules === 'reference';
  try {
    transformForOci(root, { xattrs: options.xattrs, strict });
  } catch (error) {
    throw strict ? refusedByReference(error) : error;
  }
  return root;
}

/** {@link filesystemSteps} at once, for worker threads, and without the OCI transform. */
export function buildLayerTree(
  objects: ObjectStore,
  layers: readonly LayerRef[],
  trusted: boolean,
  options: Pick<FilesystemOptions, 'layerRules' | 'progress'> = {},
): Directory {
  return runSteps(layerTreeSteps(objects, layers, trusted, options));
}

function* layerTreeSteps(
  objects: ObjectStore,
  layers: readonly LayerRef[],
  trusted: boolean,
  { layerRules, progress = nullReporter, onLayer }: Pick<StepsOptions, 'layerRules' | 'progress' | 'onLayer'>,
): Steps<Directory> {
  const root = new Directory(UNINITIALIZED_STAT);
  if (layerRules === 'reference') {
    try {
      yield* applyLayers(objects, layers, trusted, new ReferenceLayerApplier(root), 'reference', onLayer);
    } catch (error) {
      throw refusedByReference(error);
    }
    return root;
  }
  const differences = new LayerDifferences();
  yield* applyLayers(objects, layers, trusted, new LayerApplier(root, differences), 'standard', onLayer);
  differences.report(progress);
  return root;
}

function* applyLayers(
  objects: ObjectStore,
  layers: readonly LayerRef[],
  trusted: boolean,
  applier: Applier,
  rules: TarRules,
  onLayer: (() => void) | undefined,
): Steps<void> {
  for (const layer of layers) {
    if (!trusted) yield* verificationSteps(objects, layer.verity, layer.diffId);
    const reader = yield* openLayerSteps(objects, layer.verity);
    try {
      applier.startLayer(layer.diffId);
      const entries = readTarEntries(reader, rules);
      while (withContext(`Layer ${layer.diffId}`, () => applySome(entries, applier))) yield;
    } finally {
      reader.close();
    }
    onLayer?.();
  }
}

/** False after the last entry. */
function applySome(entries: Generator<TarEntry>, applier: Applier): boolean {
  for (let count = 0; count < ENTRIES_A_STEP; count++) {
    const next = entries.next();
    if (next.done === true) return false;
    applier.apply(next.value);
  }
  return true;
}

/** Says what would help where it is the rules that are in the way. */
function refusedByReference(error: unknown): unknown {
  const isRefusal = findCause(error, ImageError) !== undefined;
  const isOtherTar = [TarError, LayerError, SplitStreamError].some((type) => findCause(error, type) !== undefined);
  if (!isRefusal && !isOtherTar) return error;
  // Layers are stored by the other rules: an object that only composefs-rs makes of a tar is not there.
  const message = isRefusal
    ? 'composefs-rs refuses this image'
    : 'composefs-rs reads a tar of this image in another way, and what it makes of it is not stored';
  const hint = 'the layer rules `oci`, which are those without --layer-rules, may take this image';
  return new ContextError(message, error, hint);
}
