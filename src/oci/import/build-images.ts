import type { FormatVersion } from '../../composefs/erofs/format/constants.js';
import { validateTree, writeErofs } from '../../composefs/erofs/index.js';
import { computeVerity } from '../../composefs/fsverity/digest.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import { ObjectStore, type ObjectStoreOptions } from '../../composefs/repository/objects/object-store.js';
import type { Directory } from '../../composefs/tree/inode.js';
import { cloneTree, filterXattrs } from '../../composefs/tree/walk.js';
import type { TaskContext } from '../../threads/tasks.js';
import { withoutTerminationAsync as load } from '../../threads/thread-side.js';
import { buildFilesystem, type LayerRef } from '../layer/filesystem.js';
import type { LayerRules } from '../layer/layer-rules.js';
import { isAllowedContainerXattr, type XattrFiltering } from '../tree/transform.js';

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
  const root = buildFilesystem(objects, input.layers, input.trusted, { layerRules, xattrs, progress: context });
  const plain = versions.length === 0 ? [] : storeImages(plainTree(root, xattrs), versions, objects);
  if (boot === undefined) return { plain, boot: [] };
  // Loaded when they are needed: most images are not made for booting.
  const { transformForBoot } = await load(() => import('../../boot/transform.js'));
  transformForBoot(root, objects);
  return { plain, boot: storeImages(root, boot.versions, objects, boot.only) };
}

/** The tree of the plain image, whatever the boot image keeps. */
function plainTree(root: Directory, xattrs: XattrFiltering): Directory {
  if (xattrs === 'allowlist-only') return root;
  const plain = cloneTree(root);
  filterXattrs(plain, isAllowedContainerXattr);
  return plain;
}

function storeImages(
  root: Directory,
  versions: readonly FormatVersion[],
  objects: ObjectStore,
  only?: ObjectId | 'none',
): BuiltImage[] {
  validateTree(root);
  const { algorithm } = objects;
  return versions.map((version) => {
    const image = writeErofs(root, { version, algorithm });
    if (only !== undefined) {
      const id = computeVerity(algorithm, image);
      if (id !== only) return { version, id };
    }
    return { version, id: objects.ensureIntact(() => objects.storeObject(image)) };
  });
}
