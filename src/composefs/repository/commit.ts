import { type FormatVersion, validateTree, writeErofs } from '../erofs/index.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import { computeVerity } from '../fsverity/digest.js';
import type { ObjectId } from '../fsverity/object-id.js';
import type { Directory } from '../tree/inode.js';
import { storeImage } from './names/images.js';
import type { RepositoryHost } from './objects/host.js';

/** Makes the images of a tree and stores them, which have no names then (spec 10 §13.2). */
export function commitImages(
  repository: RepositoryHost,
  root: Directory,
  versions: readonly FormatVersion[],
): Map<FormatVersion, ObjectId> {
  validateTree(root);
  const { algorithm } = repository.objects;
  return new Map(
    versions.map((version) => [version, storeImage(repository, writeErofs(root, { version, algorithm }))]),
  );
}

/** The id that the image of a tree would have; nothing is stored. */
export function computeImageId(root: Directory, version: FormatVersion, algorithm: HashAlgorithm): ObjectId {
  return computeVerity(algorithm, writeErofs(root, { version, algorithm }));
}
