import { type FormatVersion, formatVersions } from '../../composefs/erofs/format/constants.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { Repository } from '../../composefs/repository/repository.js';
import { ComposefsError } from '../../errors.js';
import type { ProgressReporter } from '../../progress.js';
import { configLayers } from '../layer/filesystem.js';
import type { LayerRules } from '../layer/layer-rules.js';
import { findConfig, type LinkedImages, layerRefsInOrder } from '../store/config-stream.js';
import { hasLayers, type ImageContent, isUsableImage } from '../store/link-image.js';
import type { WorkerPool } from './pool.js';
import type { PulledImage } from './pull-options.js';

export interface ErofsOptions {
  readonly pool: WorkerPool;
  readonly signal?: AbortSignal | undefined;
  /**
   * Builds the images by these rules, also where some are linked, of which nobody knows by which rules they were built.
   * By default `oci` for those that are missing.
   */
  readonly layerRules?: LayerRules | undefined;
  /** Gets a message of level `warning` for each kind of difference to the tree of the reference. */
  readonly progress?: ProgressReporter | undefined;
}

/**
 * The EROFS images of a container image, one for each format of the repository: those that its stored config stream
 * links, if they are there and intact, else new ones, which are objects without an entry in `images/` yet.
 *
 * Only the layers must be stored. Another set of images of the same tree, such as boot images, is built in the same pass:
 * see {@link buildImages}.
 */
export async function erofsImages(
  repo: Repository,
  { manifest, keys, layers }: ImageContent,
  options: ErofsOptions,
): Promise<LinkedImages> {
  const versions = formatVersions(repo.formatConfig());
  const stored = findConfig(repo, manifest.value.config.digest);
  if (
    options.layerRules === undefined &&
    stored !== undefined &&
    hasLayers(stored.refs, layerRefsInOrder(keys, layers))
  ) {
    const linked = forVersions(versions, (version) => (version === 2 ? stored.refs.image : stored.refs.imageV1));
    const ids = versions.filter((version) => version !== 0).map((version) => linked[slotOf(version)]);
    if (ids.every((id) => id !== undefined && isUsableImage(repo, id))) return linked;
  }
  const input = {
    store: repo.objects.options,
    layers: configLayers(keys, layers),
    trusted: true,
    layerRules: options.layerRules,
    versions,
  };
  const { pool, signal, progress } = options;
  const built = await pool.run('build-images', input, { signal, onProgress: (event) => progress?.report(event) });
  return forVersions(versions, (version) => built.find((each) => each.version === version)?.id);
}

/** V0 and V1 have the same place in a config stream. */
function slotOf(version: FormatVersion): 'image' | 'imageV1' {
  return version === 2 ? 'image' : 'imageV1';
}

function forVersions(versions: readonly FormatVersion[], idOf: (version: 1 | 2) => ObjectId | undefined): LinkedImages {
  const [image, imageV1] = ([2, 1] as const).map((version) => (versions.includes(version) ? idOf(version) : undefined));
  return { image, imageV1 };
}

/** The plain images of a set. */
export function imagesByVersion({ image, imageV1 }: LinkedImages): PulledImage[] {
  const images = [[1, imageV1] as const, [2, image] as const];
  return images.flatMap(([version, id]) => (id === undefined ? [] : [{ version, id }]));
}

/** All ids of a set of images. */
export function idsOf({ image, imageV1, bootImages }: LinkedImages): ObjectId[] {
  return [image, imageV1, ...(bootImages?.values() ?? [])].filter((id) => id !== undefined);
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
