import type { FormatVersion } from '../../../composefs/erofs/format/constants.js';
import { erofsPieceSteps } from '../../../composefs/erofs/writer/write.js';
import type { HashAlgorithm } from '../../../composefs/fsverity/algorithm.js';
import { FsVerityHasher } from '../../../composefs/fsverity/hasher.js';
import type { ObjectId } from '../../../composefs/fsverity/object-id.js';
import { ObjectStore, type ObjectStoreOptions } from '../../../composefs/repository/objects/object-store.js';
import type { StoredObject } from '../../../composefs/repository/objects/stored-object.js';
import type { Directory } from '../../../composefs/tree/inode.js';
import { cloneTree, filterXattrs } from '../../../composefs/tree/walk.js';
import type { TaskContext } from '../../../threads/tasks.js';
import { withoutTerminationAsync as load } from '../../../threads/thread-side.js';
import { runTask, type Steps } from '../../../threads/turns.js';
import { filesystemSteps, type LayerRef } from '../../layer/filesystem.js';
import type { LayerRules } from '../../layer/layer-rules.js';
import { isAllowedContainerXattr, type XattrFiltering } from '../../tree/transform.js';

/** Builds the file system of an image once, and makes of it EROFS images of each wanted kind and format. */
export interface BuildImagesInput {
  readonly store: ObjectStoreOptions;
  readonly layers: readonly LayerRef[];
  /** False: check each layer's content against its diff_id. */
  readonly trusted: boolean;
  readonly layerRules: LayerRules | undefined;
  /** The formats of the plain image, whose xattrs are `allowlist-only`; may be none. */
  readonly versions: readonly FormatVersion[];
  readonly boot?: BootImagesInput | undefined;
}

/** The images of the tree after the boot transform (spec 50 §2). */
export interface BootImagesInput {
  readonly xattrs: XattrFiltering;
  readonly versions: readonly FormatVersion[];
  /** Which of them are stored: all by default, else at most the one of this id. */
  readonly only?: ObjectId | 'none' | undefined;
}

export interface BuiltImage {
  readonly version: FormatVersion;
  readonly id: ObjectId;
}

export interface BuiltImages {
  readonly plain: readonly BuiltImage[];
  readonly boot: readonly BuiltImage[];
}

/** @throws also what `transformForBoot` throws for an image that cannot be made bootable. */
export async function buildImages(input: BuildImagesInput, context: TaskContext): Promise<BuiltImages> {
  const { boot, layerRules, versions } = input;
  const objects = new ObjectStore(input.store);
  const xattrs = boot?.xattrs ?? 'allowlist-only';
  const { signal } = context;
  const options = { layerRules, xattrs, progress: context };
  const root = await runTask(filesystemSteps(objects, input.layers, input.trusted, options), signal);
  const plain =
    versions.length === 0 ? [] : await runTask(imageSteps(plainTree(root, xattrs), versions, objects), signal);
  if (boot === undefined) return { plain, boot: [] };
  // Loaded when they are needed: most images are not made for booting.
  const { transformForBoot } = await load(() => import('../../../boot/transform.js'));
  transformForBoot(root, objects);
  return { plain, boot: await runTask(imageSteps(root, boot.versions, objects, boot.only), signal) };
}

/** The tree of the plain image, whatever the boot image keeps. */
function plainTree(root: Directory, xattrs: XattrFiltering): Directory {
  if (xattrs === 'allowlist-only') return root;
  const plain = cloneTree(root);
  filterXattrs(plain, isAllowedContainerXattr);
  return plain;
}

function* imageSteps(
  root: Directory,
  versions: readonly FormatVersion[],
  objects: ObjectStore,
  only?: ObjectId | 'none',
): Steps<BuiltImage[]> {
  const images: BuiltImage[] = [];
  for (const version of versions) {
    const id = only === undefined ? undefined : yield* imageIdSteps(root, version, objects.algorithm);
    const isUnwanted = id !== undefined && id !== only;
    images.push({ version, id: isUnwanted ? id : yield* storeImageSteps(root, version, objects) });
  }
  return images;
}

function* imageIdSteps(root: Directory, version: FormatVersion, algorithm: HashAlgorithm): Steps<ObjectId> {
  const hasher = new FsVerityHasher(algorithm);
  yield* erofsPieceSteps(root, { version, algorithm }, () => (piece) => hasher.update(piece));
  return hasher.digest();
}

function* storeImageSteps(root: Directory, version: FormatVersion, objects: ObjectStore): Steps<ObjectId> {
  const { algorithm } = objects;
  function* store(): Steps<StoredObject> {
    const writer = objects.createWriter();
    try {
      yield* erofsPieceSteps(root, { version, algorithm }, () => (piece) => writer.write(piece));
      return writer.finish();
    } finally {
      writer.abort();
    }
  }
  const stored = yield* store();
  return objects.isIntactOrRemoved(stored) ? stored.id : (yield* store()).id;
}
