import type { FormatVersion } from '../../composefs/erofs/format/constants.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { Repository } from '../../composefs/repository/repository.js';
import type { XattrFiltering } from '../../composefs/tree/transform.js';
import type { OciDigest } from '../model/digest.js';
import { openConfig } from './config-stream.js';
import { bootImageRefKey } from './identifiers.js';
import { OciImage } from './image.js';

/**
 * The EROFS image that is linked to a config or manifest (spec 40 §6.6). The answer is only what the named ref says:
 * no format stands in for another, and the object's existence is not tested.
 */

export function composefsErofsForConfig(
  repo: Repository,
  configDigest: OciDigest,
  verity: ObjectId | undefined,
  version: FormatVersion,
): ObjectId | undefined {
  const config = openConfig(repo, configDigest, verity);
  return version === 2 ? config.image : config.imageV1;
}

export function composefsErofsForManifest(
  repo: Repository,
  manifestDigest: OciDigest,
  verity: ObjectId | undefined,
  version: FormatVersion,
): ObjectId | undefined {
  return OciImage.open(repo, manifestDigest, verity).imageRef(version);
}

export function composefsBootErofsForConfig(
  repo: Repository,
  configDigest: OciDigest,
  verity: ObjectId | undefined,
  version: FormatVersion,
  mode: XattrFiltering = 'allowlist-only',
): ObjectId | undefined {
  return openConfig(repo, configDigest, verity).bootImages.get(bootImageRefKey(version, mode));
}

export function composefsBootErofsForManifest(
  repo: Repository,
  manifestDigest: OciDigest,
  verity: ObjectId | undefined,
  version: FormatVersion,
  mode: XattrFiltering = 'allowlist-only',
): ObjectId | undefined {
  return OciImage.open(repo, manifestDigest, verity).bootImageRef(version, mode);
}
