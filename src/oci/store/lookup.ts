import type { FormatVersion } from '../../composefs/erofs/format/constants.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import { ImageNotFoundError } from '../../composefs/repository/names/open-image.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import type { OciDigest } from '../model/digest.js';
import type { XattrFiltering } from '../tree/transform.js';
import { openConfig } from './config-stream.js';
import { bootImageRefKey } from './identifiers.js';
import { OciImage } from './image.js';
import type { LinkedErofsImage } from './linked-images.js';
import { manifestDigests } from './stored-manifests.js';

/**
 * The EROFS image that is linked to a config or manifest (spec 40 §6.6). The answer is only what the named ref says:
 * no format stands in for another, and the object's existence is not tested.
 */

export function composefsErofsForConfig(
  repo: ReadableRepository,
  configDigest: OciDigest,
  verity: ObjectId | undefined,
  version: FormatVersion,
): ObjectId | undefined {
  const config = openConfig(repo, configDigest, verity);
  return version === 2 ? config.image : config.imageV1;
}

export function composefsErofsForManifest(
  repo: ReadableRepository,
  manifestDigest: OciDigest,
  verity: ObjectId | undefined,
  version: FormatVersion,
): ObjectId | undefined {
  return OciImage.open(repo, manifestDigest, verity).imageRef(version);
}

export function composefsBootErofsForConfig(
  repo: ReadableRepository,
  configDigest: OciDigest,
  verity: ObjectId | undefined,
  version: FormatVersion,
  mode: XattrFiltering = 'allowlist-only',
): ObjectId | undefined {
  return openConfig(repo, configDigest, verity).bootImages.get(bootImageRefKey(version, mode));
}

export function composefsBootErofsForManifest(
  repo: ReadableRepository,
  manifestDigest: OciDigest,
  verity: ObjectId | undefined,
  version: FormatVersion,
  mode: XattrFiltering = 'allowlist-only',
): ObjectId | undefined {
  return OciImage.open(repo, manifestDigest, verity).bootImageRef(version, mode);
}

/**
 * All EROFS images, plain and boot, of the stored image to which the EROFS image `id` belongs, itself included. It need
 * not be tagged; images that cannot be opened are passed over.
 *
 * @throws ImageNotFoundError if no stored image has such an EROFS image.
 */
export function linkedErofsImages(repo: ReadableRepository, id: ObjectId): LinkedErofsImage[] {
  for (const digest of manifestDigests(repo)) {
    const linked = tryOpen(repo, digest)?.linkedErofsImages(id) ?? [];
    if (linked.length > 0) return linked;
  }
  throw new ImageNotFoundError(id);
}

function tryOpen(repo: ReadableRepository, digest: OciDigest): OciImage | undefined {
  try {
    return OciImage.open(repo, digest);
  } catch {
    return undefined;
  }
}
