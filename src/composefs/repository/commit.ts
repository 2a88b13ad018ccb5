import { type FormatConfig, type FormatVersion, formatVersions, validateTree, writeErofs } from '../erofs/index.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import { computeVerity } from '../fsverity/digest.js';
import type { ObjectId } from '../fsverity/object-id.js';
import type { Directory } from '../tree/inode.js';
import { writeImage } from './names/images.js';
import type { SyncingHost } from './objects/host.js';

/**
 * Makes the images of a tree and stores them, the default format first (spec 10 §13.2).
 *
 * @param ref names the image of the default format; the others get no reference.
 */
export function commitImages(
  repository: SyncingHost,
  root: Directory,
  formats: FormatConfig,
  ref?: string,
): Map<FormatVersion, ObjectId> {
  validateTree(root);
  const images = new Map<FormatVersion, ObjectId>();
  for (const version of formatVersions(formats)) {
    const name = version === formats.default ? ref : undefined;
    images.set(version, storeVersion(repository, root, version, name));
  }
  return images;
}

/** Makes and stores the image of one format, whatever the repository is configured for. */
export function commitImageVersion(
  repository: SyncingHost,
  root: Directory,
  version: FormatVersion,
  ref?: string,
): ObjectId {
  validateTree(root);
  return storeVersion(repository, root, version, ref);
}

/** The id that the image of a tree would have; nothing is stored. */
export function computeImageId(root: Directory, version: FormatVersion, algorithm: HashAlgorithm): ObjectId {
  return computeVerity(algorithm, writeErofs(root, { version, algorithm }));
}

function storeVersion(
  repository: SyncingHost,
  root: Directory,
  version: FormatVersion,
  ref: string | undefined,
): ObjectId {
  return writeImage(repository, writeErofs(root, { version, algorithm: repository.objects.algorithm }), ref);
}
