import { type FormatVersion, formatVersions } from '../../composefs/erofs/format/constants.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { Repository } from '../../composefs/repository/repository.js';
import { ComposefsError, withContextAsync } from '../../errors.js';
import type { ProgressReporter } from '../../progress.js';
import { configLayers } from '../layer/filesystem.js';
import type { LayerRules } from '../layer/layer-rules.js';
import type { OciDigest } from '../model/digest.js';
import { isContainerImage } from '../model/manifest.js';
import { configNamedRefs, layerRefsInOrder } from '../store/config-stream.js';
import { configRefKey } from '../store/identifiers.js';
import { OciImage } from '../store/image.js';
import { linkConfig } from '../store/link-config.js';
import { writeManifestRaw } from '../store/manifest-stream.js';
import { findManifest, manifestsOfConfig } from '../store/stored-manifests.js';
import { listRefs, tagImage } from '../store/tags.js';
import { WorkerPool } from './pool.js';

export interface EnsureImagesOptions {
  /** The tag to point at the manifest in the end. */
  readonly tag?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Threads to use; without one, a thread is started and ended. */
  readonly pool?: WorkerPool | undefined;
  /**
   * Builds the images by these rules, also where some are linked, of which nobody knows by which rules they were built.
   * By default `oci` for those that are missing.
   */
  readonly layerRules?: LayerRules | undefined;
  /** Gets a message of level `warning` for each kind of difference to the tree of the reference. */
  readonly progress?: ProgressReporter | undefined;
}

/**
 * Builds and links the EROFS images of a stored image, for every format of the repository (spec 40 §6.1), and tags it.
 * Config and manifest streams are rewritten with the new links; their JSON, and so their digests, never change.
 * Images that are linked already, for exactly these formats, are left as they are, unless `layerRules` are given. Where
 * other manifests have the same config, images of further formats stay linked.
 *
 * @returns the image for the repository's default format; undefined for artifacts, which are not tagged either.
 */
export async function ensureComposefsErofs(
  repo: Repository,
  manifestDigest: OciDigest,
  manifestVerity?: ObjectId,
  options: EnsureImagesOptions = {},
): Promise<ObjectId | undefined> {
  const image = OciImage.open(repo, manifestDigest, manifestVerity);
  if (image.config === undefined) return undefined;
  requireLinkableFormat(repo.erofsVersion);
  const versions = formatVersions(repo.formatConfig());
  if (options.layerRules !== undefined || !hasLinkedImages(repo, image, versions)) {
    await repo.hold(async () => {
      const images = await buildLinkedImages(repo, image, versions, options);
      await relinkImages(repo, image, { ...sharedImages(repo, image, versions), ...images }, options.tag);
    });
  } else if (options.tag !== undefined) {
    tagImage(repo, manifestDigest, options.tag);
  }
  return OciImage.open(repo, manifestDigest).imageRef(repo.erofsVersion);
}

/**
 * V0 images have no named ref, so a repository whose default is V0 cannot hold OCI images. Said before anything is
 * fetched or stored.
 */
export function requireLinkableFormat(version: FormatVersion): void {
  if (version === 0) {
    throw new ComposefsError('UNSUPPORTED_FORMAT', 'OCI images cannot be linked to EROFS images of format V0', {
      hint: 'use --erofs-version 1 or 2, or a repository initialized with one of these formats',
    });
  }
}

interface PlainImages {
  readonly image?: ObjectId;
  readonly imageV1?: ObjectId;
}

async function buildLinkedImages(
  repo: Repository,
  image: OciImage,
  versions: readonly FormatVersion[],
  options: EnsureImagesOptions,
): Promise<PlainImages> {
  const pool = options.pool ?? new WorkerPool(1);
  try {
    const input = {
      store: repo.objects.options,
      layers: configLayers(image.layerDiffIds(), image.layerRefs),
      trusted: true,
      layerRules: options.layerRules,
      versions,
    };
    const { signal, progress } = options;
    const built = await pool.run('build-images', input, { signal, onProgress: (event) => progress?.report(event) });
    repo.registerImages(built.map(({ id }) => id));
    return plainImages((version) => built.find((each) => each.version === version)?.id);
  } finally {
    if (options.pool === undefined) await pool.close();
  }
}

/** Only those that there are. */
function plainImages(idOf: (version: 1 | 2) => ObjectId | undefined): PlainImages {
  const [image, imageV1] = [idOf(2), idOf(1)];
  return { ...(image !== undefined && { image }), ...(imageV1 !== undefined && { imageV1 }) };
}

/**
 * Rewrites the streams of the config, and of all manifests that name it, so that they link these plain images and the
 * same boot images as before.
 */
async function relinkImages(
  repo: Repository,
  image: OciImage,
  images: PlainImages,
  tag: string | undefined,
): Promise<void> {
  const { configDigest } = image;
  const [manifestJson, configJson] = [image.readManifestJson(repo), image.readConfigJson(repo)];
  const links = { ...images, bootImages: image.bootImageRefs() };
  const refs = configNamedRefs(configJson, image.layerRefs, links);
  const configVerity = await linkConfig(repo, configDigest, configJson, refs);
  if (findManifest(repo, image.manifestDigest)?.namedRefs.get(configRefKey(configDigest)) !== configVerity) {
    const layers = layerRefsInOrder([...new Set(image.layerDiffIds())], image.layerRefs);
    await writeManifestRaw(repo, manifestJson, image.manifestDigest, { configDigest, configVerity, layers });
  }
  if (tag !== undefined) tagImage(repo, image.manifestDigest, tag);
  repo.syncNames();
}

/**
 * True if the images linked are there, and are those of `versions`: all of these, and others only if other manifests
 * of the same config may want them.
 */
function hasLinkedImages(repo: Repository, image: OciImage, versions: readonly FormatVersion[]): boolean {
  const linkable = [1, 2] as const;
  if (linkable.some((version) => versions.includes(version) && !isUsable(repo, image.imageRef(version)))) return false;
  const hasOthers = linkable.some((version) => !versions.includes(version) && image.imageRef(version) !== undefined);
  return !hasOthers || hasSharedConfig(repo, image);
}

/** The images of other formats than `versions` that stay: manifests with the same config have one set of images. */
function sharedImages(repo: Repository, image: OciImage, versions: readonly FormatVersion[]): PlainImages {
  if (!hasSharedConfig(repo, image)) return {};
  return plainImages((version) => {
    const id = image.imageRef(version);
    return !versions.includes(version) && isUsable(repo, id) ? id : undefined;
  });
}

function isUsable(repo: Repository, id: ObjectId | undefined): boolean {
  return id !== undefined && repo.hasImage(id) && repo.objects.isIntact(id);
}

function hasSharedConfig(repo: Repository, image: OciImage): boolean {
  for (const { digest, manifest } of manifestsOfConfig(repo, image.configDigest)) {
    if (digest !== image.manifestDigest && isContainerImage(manifest)) return true;
  }
  return false;
}

/** What {@link upgradeRepo} did: one count a tag. */
export interface UpgradeResult {
  alreadyCurrent: number;
  upgraded: number;
  skippedNonContainer: number;
}

/**
 * Builds the image of the repository's format for every tagged image that lacks it (spec 40 §6.7): images pulled by
 * older releases, or before the format was changed. Collect garbage afterwards to drop the superseded streams.
 */
export async function upgradeRepo(
  repo: Repository,
  options: Pick<EnsureImagesOptions, 'signal' | 'layerRules' | 'progress'> = {},
): Promise<UpgradeResult> {
  const result: UpgradeResult = { alreadyCurrent: 0, upgraded: 0, skippedNonContainer: 0 };
  for (const [tag, digest] of listRefs(repo)) {
    const image = await withContextAsync(`opening image ${tag}`, async () => OciImage.open(repo, digest));
    if (!image.isContainerImage()) {
      result.skippedNonContainer += 1;
    } else if (image.imageRef(repo.erofsVersion) !== undefined) {
      result.alreadyCurrent += 1;
    } else {
      await withContextAsync(`generating EROFS for image ${tag}`, () =>
        ensureComposefsErofs(repo, digest, undefined, { ...options, tag }),
      );
      result.upgraded += 1;
    }
  }
  return result;
}
