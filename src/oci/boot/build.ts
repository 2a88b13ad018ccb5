import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import type { Repository } from '../../composefs/repository/repository.js';
import { loadZstdEncode } from '../../compression/zstd/encode.js';
import type { ProgressReporter } from '../../progress.js';
import type { BootImagesInput, BuiltImage } from '../import/threads/build-images.js';
import { importPool } from '../import/threads/import-pool.js';
import { configLayers } from '../layer/filesystem.js';
import type { LayerRules } from '../layer/layer-rules.js';
import type { OciDigest } from '../model/digest.js';
import { OciImage } from '../store/image.js';
import { contentOf, linkImage, prepareLink } from '../store/link-image.js';

/** How boot images are made of a stored image. */
export interface BootBuildOptions {
  readonly signal?: AbortSignal | undefined;
  /** By which rules the layers become the tree; given, images that are linked are made again. Default `oci`. */
  readonly layerRules?: LayerRules | undefined;
  /** Gets a message of level `warning` for each kind of difference to the tree of the reference. */
  readonly progress?: ProgressReporter | undefined;
}

/** Builds boot images in a thread; what is stored of them are objects without an entry in `images/` yet. */
export async function buildBootImages(
  repo: ReadableRepository,
  image: OciImage,
  boot: BootImagesInput,
  { signal, layerRules, progress }: BootBuildOptions,
): Promise<readonly BuiltImage[]> {
  const layers = configLayers(image.layerDiffIds(), image.layerRefs);
  const input = { store: repo.objects.options, layers, trusted: true, layerRules, versions: [], boot };
  const pool = importPool(1);
  try {
    const built = await pool.run('build-images', input, { signal, onProgress: (event) => progress?.report(event) });
    return built.boot;
  } finally {
    await pool.close();
  }
}

/**
 * Lists boot images in `images/` and links them by their keys from the config stream of an image, and so from all stored
 * manifests of the config. Plain images stay linked; tags follow, since they lead to the manifest by its digest.
 *
 * Call it inside of {@link Repository.hold}.
 *
 * @param images undefined: those that are linked do not stay.
 * @returns streams that nothing may need any more, for {@link Repository.removeSuperseded} after that.
 */
export async function linkBootImages(
  repo: Repository,
  manifestDigest: OciDigest,
  images: ReadonlyMap<string, ObjectId> | undefined,
): Promise<readonly ObjectId[]> {
  const encode = await loadZstdEncode();
  // As it is now: other boot images may have been linked since the caller has looked.
  const image = OciImage.open(repo, manifestDigest);
  const plain = { image: image.imageRef(2), imageV1: image.imageRef(1) };
  const change = images === undefined ? { replacesBootImages: true } : { bootImages: images };
  const content = contentOf(repo, image);
  const links = linkImage(repo, await prepareLink(repo, content), content, { ...plain, ...change }, encode);
  const unlisted = [...(images?.values() ?? [])].filter((id) => !repo.hasImage(id));
  if (unlisted.length + links.names.length > 0) await repo.registerNames(unlisted, links.names);
  await repo.syncNames();
  return links.superseded;
}
