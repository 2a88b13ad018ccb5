import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ObjectStore } from '../../composefs/repository/objects/object-store.js';
import type { Repository } from '../../composefs/repository/repository.js';
import { SplitStreamError } from '../../composefs/splitstream/index.js';
import { ImageError } from '../../composefs/tree/image-error.js';
import { Directory } from '../../composefs/tree/inode.js';
import { UNINITIALIZED_STAT } from '../../composefs/tree/stat.js';
import { ComposefsError, ContextError, findCause, withContext } from '../../errors.js';
import { nullReporter, type ProgressReporter } from '../../progress.js';
import type { TarRules } from '../../tar/header.js';
import { TarError } from '../../tar/tar-error.js';
import type { OciDigest } from '../model/digest.js';
import { openConfig } from '../store/config-stream.js';
import { type OciTransformOptions, transformForOci } from '../tree/transform.js';
import { type Applier, LayerApplier } from './apply-layer.js';
import { ReferenceLayerApplier } from './apply-layer-reference.js';
import { openLayerStream, verifyLayer } from './layer-content.js';
import { LayerDifferences, type LayerRules } from './layer-rules.js';
import { LayerError, readTarEntries } from './tar-entry.js';

/** One layer of an image, as the config stream names it. */
export interface LayerRef {
  readonly diffId: string;
  /** The layer's splitstream. */
  readonly verity: ObjectId;
}

export interface FilesystemOptions extends OciTransformOptions {
  /** Default `oci`. */
  readonly layerRules?: LayerRules | undefined;
  /** Gets a message of level `warning` for each kind of difference to the tree of the reference. */
  readonly progress?: ProgressReporter | undefined;
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
 * Without a trusted `configVerity` every layer's content is checked against its diff_id first.
 */
export function createFilesystem(
  repo: Repository,
  configDigest: OciDigest,
  configVerity?: ObjectId,
  options: FilesystemOptions = {},
): Directory {
  const { config, layerRefs } = openConfig(repo, configDigest, configVerity);
  const layers = configLayers(config.rootfs.diff_ids, layerRefs);
  return buildFilesystem(repo.objects, layers, configVerity !== undefined, options);
}

/** {@link createFilesystem} from its parts, for worker threads. `trusted` layers are not hashed. */
export function buildFilesystem(
  objects: ObjectStore,
  layers: readonly LayerRef[],
  trusted: boolean,
  options: FilesystemOptions = {},
): Directory {
  const root = buildLayerTree(objects, layers, trusted, options);
  const strict = options.layerRules === 'reference';
  try {
    transformForOci(root, { xattrs: options.xattrs, strict });
  } catch (error) {
    throw strict ? refusedByReference(error) : error;
  }
  return root;
}

/** {@link buildFilesystem} without the OCI transform. */
export function buildLayerTree(
  objects: ObjectStore,
  layers: readonly LayerRef[],
  trusted: boolean,
  { layerRules, progress = nullReporter }: Pick<FilesystemOptions, 'layerRules' | 'progress'> = {},
): Directory {
  const root = new Directory(UNINITIALIZED_STAT);
  if (layerRules === 'reference') {
    try {
      applyLayers(objects, layers, trusted, new ReferenceLayerApplier(root), 'reference');
    } catch (error) {
      throw refusedByReference(error);
    }
    return root;
  }
  const differences = new LayerDifferences();
  applyLayers(objects, layers, trusted, new LayerApplier(root, differences), 'standard');
  differences.report(progress);
  return root;
}

function applyLayers(
  objects: ObjectStore,
  layers: readonly LayerRef[],
  trusted: boolean,
  applier: Applier,
  rules: TarRules,
): void {
  for (const layer of layers) {
    if (!trusted) verifyLayer(objects, layer.verity, layer.diffId);
    const reader = openLayerStream(objects, layer.verity);
    try {
      applier.startLayer(layer.diffId);
      withContext(`Layer ${layer.diffId}`, () => {
        for (const entry of readTarEntries(reader, rules)) applier.apply(entry);
      });
    } finally {
      reader.close();
    }
  }
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
