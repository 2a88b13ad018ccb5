import type { FormatVersion } from '../../composefs/erofs/format/constants.js';
import { validateTree, writeErofs } from '../../composefs/erofs/index.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import { ObjectStore, type ObjectStoreOptions } from '../../composefs/repository/objects/object-store.js';
import { buildFilesystem, type LayerRef } from '../layer/filesystem.js';
import type { LayerRules } from '../layer/layer-rules.js';
import type { TaskContext } from './task-context.js';

/** Builds the file system of an image and stores it as EROFS, once for each format. */
export interface BuildImagesInput {
  readonly store: ObjectStoreOptions;
  readonly layers: readonly LayerRef[];
  /** False: check each layer's content against its diff_id. */
  readonly trusted: boolean;
  readonly layerRules: LayerRules | undefined;
  readonly versions: readonly FormatVersion[];
}

export interface BuiltImage {
  readonly version: FormatVersion;
  readonly id: ObjectId;
}

export async function buildImages(input: BuildImagesInput, context: TaskContext): Promise<BuiltImage[]> {
  const objects = new ObjectStore(input.store);
  const root = buildFilesystem(objects, input.layers, input.trusted, {
    layerRules: input.layerRules,
    progress: context,
  });
  validateTree(root);
  return input.versions.map((version) => {
    const image = writeErofs(root, { version, algorithm: objects.algorithm });
    return { version, id: objects.ensureIntact(() => objects.storeObject(image)) };
  });
}
