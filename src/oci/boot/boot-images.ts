import { BOOT_VERSIONS, type FormatVersion, formatVersions } from '../../composefs/erofs/format/constants.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import type { Repository } from '../../composefs/repository/repository.js';
import { requireLinkableFormat } from '../import/erofs-images.js';
import type { OciDigest } from '../model/digest.js';
import { notAContainerImage } from '../store/errors.js';
import { bootImageRefKey } from '../store/identifiers.js';
import { OciImage } from '../store/image.js';
import { isUsableImage } from '../store/link-image.js';
import { XATTR_FILTERINGS, type XattrFiltering } from '../tree/transform.js';
import { type BootBuildOptions, buildBootImages, linkBootImages } from './build.js';

/** The boot image that an image has for the repository's format, of the mode `allowlist-only` (spec 40 §6.3). */
export function bootImage(repo: ReadableRepository, manifestDigest: OciDigest): ObjectId | undefined {
  return bootImageForMode(repo, manifestDigest, 'allowlist-only');
}

/** {@link bootImage} of a given mode. */
export function bootImageForMode(
  repo: ReadableRepository,
  manifestDigest: OciDigest,
  mode: XattrFiltering,
): ObjectId | undefined {
  return OciImage.open(repo, manifestDigest).bootImageRef(repo.erofsVersion, mode);
}

/** How a boot image is made. */
export interface BootImageOptions extends BootBuildOptions {
  /** Which xattrs the image keeps. Default `allowlist-only`. */
  readonly xattrs?: XattrFiltering | undefined;
}

/**
 * The boot image of a stored image for the repository's format: the one that is linked, if it is there and intact; else
 * it is made and linked, with those of the repository's other formats (spec 40 §6.2). Boot images of other modes stay.
 *
 * @throws ComposefsError `NOT_A_CONTAINER_IMAGE`; ImageError if `/boot`, `/sysroot` or `/usr` is missing or no directory;
 *   what finding boot resources and labelling throw.
 */
export async function generateBootImage(
  repo: Repository,
  manifestDigest: OciDigest,
  options: BootImageOptions = {},
): Promise<ObjectId> {
  const { xattrs = 'allowlist-only' } = options;
  const image = openContainer(repo, manifestDigest);
  const images = await ensureBootImages(repo, image, xattrs, [repo.erofsVersion], options);
  return images.get(repo.erofsVersion) as ObjectId;
}

/**
 * The boot images of some formats: those that are linked if they are there and intact, else new ones of all formats of the
 * repository.
 */
export async function ensureBootImages(
  repo: Repository,
  image: OciImage,
  xattrs: XattrFiltering,
  wanted: readonly FormatVersion[],
  options: BootBuildOptions,
): Promise<ReadonlyMap<FormatVersion, ObjectId>> {
  const linked = new Map<FormatVersion, ObjectId>();
  for (const version of wanted) {
    const id = image.bootImageRef(version, xattrs);
    if (id !== undefined && options.layerRules === undefined && (await isUsableImage(repo, id, options.signal))) {
      linked.set(version, id);
    }
  }
  if (linked.size === wanted.length) return linked;
  requireLinkableFormat(repo.erofsVersion);
  repo.ensureWritable();
  const versions = formatVersions(repo.formatConfig()).filter((version) => version !== 0);
  const { built, superseded } = await repo.hold(async () => {
    const built = await buildBootImages(repo, image, { xattrs, versions }, options);
    const links = new Map(built.map(({ version, id }) => [bootImageRefKey(version, xattrs), id]));
    return { built, superseded: await linkBootImages(repo, image.manifestDigest, links) };
  });
  await repo.removeSuperseded(superseded);
  return new Map(built.map(({ version, id }) => [version, id]));
}

/**
 * Unlinks all boot images of an image, of every format and mode. They go with the next garbage collection.
 *
 * @throws ComposefsError `NOT_A_CONTAINER_IMAGE`
 */
export async function removeBootImage(repo: Repository, manifestDigest: OciDigest): Promise<void> {
  repo.ensureWritable();
  const image = openContainer(repo, manifestDigest);
  if (image.bootImageRefs().size === 0) return;
  await repo.removeSuperseded(await repo.hold(() => linkBootImages(repo, manifestDigest, undefined)));
}

/** What {@link findMatchingBootImage} found; `tried` is how many combinations of mode and format it compared. */
export type BootImageMatch =
  | { readonly found: true; readonly mode: XattrFiltering; readonly version: 1 | 2; readonly digest: ObjectId }
  | { readonly found: false; readonly tried: number };

/**
 * Looks for the mode and format whose boot image has the given digest, such as that in the command line of a UKI
 * (spec 40 §6.4): linked images first, then those that could be made. What is found is stored and linked, also if the
 * repository does not make images of that format.
 */
export async function findMatchingBootImage(
  repo: Repository,
  manifestDigest: OciDigest,
  expected: ObjectId,
  options: BootBuildOptions = {},
): Promise<BootImageMatch> {
  const image = openContainer(repo, manifestDigest);
  let tried = 0;
  for (const mode of XATTR_FILTERINGS) {
    const missing: (1 | 2)[] = [];
    for (const version of BOOT_VERSIONS) {
      const linked = image.bootImageRef(version, mode);
      if (linked === expected && (await isUsableImage(repo, linked, options.signal))) {
        return { found: true, mode, version, digest: expected };
      }
      if (linked === undefined || linked === expected) missing.push(version);
      else tried += 1;
    }
    if (missing.length === 0) continue;
    const match = await repo.hold(async () => {
      const built = await buildBootImages(repo, image, { xattrs: mode, versions: missing, only: expected }, options);
      const version = missing.find((each) => built.some(({ id, version }) => version === each && id === expected));
      if (version === undefined) return undefined;
      const links = new Map([[bootImageRefKey(version, mode), expected]]);
      return { version, superseded: await linkBootImages(repo, manifestDigest, links) };
    });
    if (match !== undefined) {
      await repo.removeSuperseded(match.superseded);
      return { found: true, mode, version: match.version, digest: expected };
    }
    tried += missing.length;
  }
  return { found: false, tried };
}

function openContainer(repo: ReadableRepository, manifestDigest: OciDigest): OciImage {
  return requireContainer(OciImage.open(repo, manifestDigest));
}

/** @throws ComposefsError `NOT_A_CONTAINER_IMAGE` */
export function requireContainer(image: OciImage): OciImage {
  if (!image.isContainerImage()) throw notAContainerImage(image.manifestDigest, image.manifest);
  return image;
}
