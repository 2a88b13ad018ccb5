import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { Repository } from '../../composefs/repository/repository.js';
import { loadZstdEncode } from '../../compression/zstd/encode.js';
import { withContextAsync } from '../../errors.js';
import type { ProgressReporter } from '../../progress.js';
import { Turns } from '../../threads/turns.js';
import type { LayerRules } from '../layer/layer-rules.js';
import type { OciDigest } from '../model/digest.js';
import { OciImage, type OpenImageOptions } from '../store/image.js';
import { contentOf, linkImage, prepareLink } from '../store/link-image.js';
import { listRefs, tagImage } from '../store/tags.js';
import { type ErofsOptions, erofsImages, idsOf, requireLinkableFormat } from './erofs-images.js';
import { importPool } from './threads/import-pool.js';

/** How the images of {@link upgradeRepo} are built. */
export interface UpgradeOptions {
  readonly signal?: AbortSignal | undefined;
  /** By which rules the layers become the tree. Default `oci`. */
  readonly layerRules?: LayerRules | undefined;
  /** Gets a message of level `warning` for each kind of difference to the tree of the reference. */
  readonly progress?: ProgressReporter | undefined;
}

export interface EnsureImagesOptions extends Omit<ErofsOptions, 'pool'>, OpenImageOptions {
  /** The tag to point at the manifest in the end. */
  readonly tag?: string | undefined;
}

/**
 * Builds and links the EROFS images of a stored image, for every format of the repository (spec 40 §6.1), and tags it.
 * Config and manifest streams are rewritten with the new links; their JSON, and so their digests, never change.
 * Images that are linked already are left as they are, unless `layerRules` are given. Where other manifests have the same
 * config, images of further formats stay linked.
 *
 * @returns the image for the repository's default format; undefined for artifacts, which are not tagged either.
 */
export async function ensureComposefsErofs(
  repo: Repository,
  manifestDigest: OciDigest,
  options: EnsureImagesOptions = {},
): Promise<ObjectId | undefined> {
  const image = OciImage.open(repo, manifestDigest, options);
  if (image.config === undefined) return undefined;
  requireLinkableFormat(repo.erofsVersion);
  const content = contentOf(repo, image);
  return await repo.hold(async () => {
    const pool = importPool(1);
    try {
      const built = await erofsImages(repo, content, { ...options, pool });
      const prepared = await prepareLink(repo, content, undefined, options.signal);
      const links = linkImage(repo, prepared, content, built, await loadZstdEncode());
      const images = idsOf(built).filter((id) => !repo.hasImage(id));
      if (images.length + links.names.length > 0) await repo.registerNames(images, links.names);
      if (options.tag !== undefined) await tagImage(repo, manifestDigest, options.tag);
      await repo.syncNames();
      return repo.erofsVersion === 2 ? links.images.image : links.images.imageV1;
    } finally {
      await pool.close();
    }
  });
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
export async function upgradeRepo(repo: Repository, options: UpgradeOptions = {}): Promise<UpgradeResult> {
  const result: UpgradeResult = { alreadyCurrent: 0, upgraded: 0, skippedNonContainer: 0 };
  const turns = new Turns(options.signal);
  for (const [tag, digest] of listRefs(repo)) {
    if (turns.isOver()) await turns.next();
    const image = await withContextAsync(`opening image ${tag}`, async () => OciImage.open(repo, digest));
    if (!image.isContainerImage()) {
      result.skippedNonContainer += 1;
    } else if (image.imageRef(repo.erofsVersion) !== undefined) {
      result.alreadyCurrent += 1;
    } else {
      await withContextAsync(`generating EROFS for image ${tag}`, () =>
        ensureComposefsErofs(repo, digest, { ...options, tag }),
      );
      result.upgraded += 1;
    }
  }
  return result;
}
