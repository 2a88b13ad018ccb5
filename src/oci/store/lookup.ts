import type { FormatVersion } from '../../composefs/erofs/format/constants.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import { ImageNotFoundError } from '../../composefs/repository/names/open-image.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { Turns } from '../../threads/turns.js';
import type { OciDigest } from '../model/digest.js';
import type { XattrFiltering } from '../tree/transform.js';
import { type OpenConfigOptions, openConfig } from './config-stream.js';
import { bootImageRefKey } from './identifiers.js';
import { OciImage, type OpenImageOptions } from './image.js';
import type { LinkedErofsImage } from './linked-images.js';
import { manifestDigests } from './stored-manifests.js';

/**
 * The EROFS image that is linked to a config or manifest (spec 40 §6.6). The answer is only what the named ref says:
 * no format stands in for another, and the object's existence is not tested.
 */

/** Which boot image is looked for. */
export interface BootLookupOptions {
  /** Of which mode the boot image is. Default `allowlist-only`. */
  readonly xattrs?: XattrFiltering | undefined;
}

/**
 * The EROFS image that is linked to a config, of a format. Undefined if there is none: no format stands in for another. That the
 * object exists is not tested.
 *
 * @throws what {@link openConfig} throws: a config of an artifact is none
 */
export function composefsErofsForConfig(
  repo: ReadableRepository,
  configDigest: OciDigest,
  version: FormatVersion,
  options: OpenConfigOptions = {},
): ObjectId | undefined {
  const config = openConfig(repo, configDigest, options);
  return version === 2 ? config.image : config.imageV1;
}

/**
 * {@link composefsErofsForConfig} by the manifest. Undefined of an artifact.
 *
 * @throws what {@link OciImage.open} throws
 */
export function composefsErofsForManifest(
  repo: ReadableRepository,
  manifestDigest: OciDigest,
  version: FormatVersion,
  options: OpenImageOptions = {},
): ObjectId | undefined {
  return OciImage.open(repo, manifestDigest, options).imageRef(version);
}

/** The boot image that is linked to a config, of a format and xattr mode; as {@link composefsErofsForConfig}. */
export function composefsBootErofsForConfig(
  repo: ReadableRepository,
  configDigest: OciDigest,
  version: FormatVersion,
  { xattrs = 'allowlist-only', ...options }: OpenConfigOptions & BootLookupOptions = {},
): ObjectId | undefined {
  return openConfig(repo, configDigest, options).bootImages.get(bootImageRefKey(version, xattrs));
}

/**
 * {@link composefsBootErofsForConfig} by the manifest. Undefined of an artifact.
 *
 * @throws what {@link OciImage.open} throws
 */
export function composefsBootErofsForManifest(
  repo: ReadableRepository,
  manifestDigest: OciDigest,
  version: FormatVersion,
  { xattrs = 'allowlist-only', ...options }: OpenImageOptions & BootLookupOptions = {},
): ObjectId | undefined {
  return OciImage.open(repo, manifestDigest, options).bootImageRef(version, xattrs);
}

/**
 * All EROFS images, plain and boot, of the stored image to which the EROFS image `id` belongs, itself included. It need
 * not be tagged; images that cannot be opened are passed over.
 *
 * @throws ImageNotFoundError if no stored image has such an EROFS image.
 */
export async function linkedErofsImages(
  repo: ReadableRepository,
  id: ObjectId,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<LinkedErofsImage[]> {
  const turns = new Turns(options.signal);
  for (const digest of manifestDigests(repo)) {
    if (turns.isOver()) await turns.next();
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
