import { type FormatVersion, formatVersions } from '../../composefs/erofs/format/constants.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { Repository } from '../../composefs/repository/repository.js';
import { ComposefsError } from '../../errors.js';
import type { ProgressReporter } from '../../progress.js';
import { configLayers } from '../layer/filesystem.js';
import type { LayerRules } from '../layer/layer-rules.js';
import { findConfig, type LinkedImages, layerRefsInOrder } from '../store/config-stream.js';
import { bootImageRefKey } from '../store/identifiers.js';
import { hasLayers, type ImageContent, isUsableImage } from '../store/link-image.js';
import type { XattrFiltering } from '../tree/transform.js';
import type { PulledImage } from './pull-options.js';
import type { BuiltImage } from './threads/build-images.js';
import type { ImportPool } from './threads/import-pool.js';

export interface ErofsOptions {
  readonly pool: ImportPool;
  readonly signal?: AbortSignal | undefined;
  /**
   * Builds the images by these rules, also where some are linked, of which nobody knows by which rules they were built.
   * By default `oci` for those that are missing.
   */
  readonly layerRules?: LayerRules | undefined;
  /** Boot images of this mode as well. */
  readonly boot?: { readonly xattrs: XattrFiltering } | undefined;
  /** Gets a message of level `warning` for each kind of difference to the tree of the reference. */
  readonly progress?: ProgressReporter | undefined;
}

/**
 * The EROFS images of a container image, one for each format of the repository: those that its stored config stream
 * links, if they are there and intact, else new ones, which are objects without an entry in `images/` yet.
 *
 * Only the layers must be stored. Boot images of the same tree are built in the same pass; the plain image is
 * `allowlist-only` in any case.
 *
 * @returns of the boot images those of the wanted mode.
 * @throws what `transformForBoot` throws if boot images are wanted of an image that cannot be booted.
 */
export async function erofsImages(
  repo: Repository,
  { manifest, keys, layers }: ImageContent,
  options: ErofsOptions,
): Promise<LinkedImages> {
  const { pool, signal, progress, layerRules, boot } = options;
  // V0 has no place in a config stream.
  const versions = formatVersions(repo.formatConfig()).filter((version) => version !== 0);
  const stored = findConfig(repo, manifest.value.config.digest);
  const isSame = stored !== undefined && hasLayers(stored.refs, layerRefsInOrder(keys, layers));
  const linked = isSame && layerRules === undefined ? stored.refs : undefined;
  const plain = await linkedImages(repo, versions, signal, (version) =>
    version === 2 ? linked?.image : linked?.imageV1,
  );
  const booted = await linkedImages(repo, versions, signal, (version) =>
    boot === undefined ? undefined : linked?.bootImages.get(bootImageRefKey(version, boot.xattrs)),
  );
  const isBooted = boot === undefined || booted !== undefined;
  if (plain !== undefined && isBooted) return imagesToLink(plain, booted, boot?.xattrs);
  const input = {
    store: repo.objects.options,
    layers: configLayers(keys, layers),
    trusted: true,
    layerRules,
    versions: plain === undefined ? versions : [],
    boot: isBooted ? undefined : { xattrs: boot.xattrs, versions },
  };
  const built = await pool.run('build-images', input, { signal, onProgress: (event) => progress?.report(event) });
  return imagesToLink(plain ?? built.plain, booted ?? built.boot, boot?.xattrs);
}

/** The images of all formats, if all are linked, there and intact. */
async function linkedImages(
  repo: Repository,
  versions: readonly FormatVersion[],
  signal: AbortSignal | undefined,
  idOf: (version: FormatVersion) => ObjectId | undefined,
): Promise<BuiltImage[] | undefined> {
  const images: BuiltImage[] = [];
  for (const version of versions) {
    const id = idOf(version);
    if (id === undefined || !(await isUsableImage(repo, id, signal))) return undefined;
    images.push({ version, id });
  }
  return images;
}

function imagesToLink(
  plain: readonly BuiltImage[],
  boot: readonly BuiltImage[] = [],
  xattrs: XattrFiltering = 'allowlist-only',
): LinkedImages {
  const [image, imageV1] = [2, 1].map((wanted) => plain.find(({ version }) => version === wanted)?.id);
  return { image, imageV1, bootImages: new Map(boot.map(({ version, id }) => [bootImageRefKey(version, xattrs), id])) };
}

/** The plain images of a set. */
export function imagesByVersion({ image, imageV1 }: LinkedImages): PulledImage[] {
  const images = [[1, imageV1] as const, [2, image] as const];
  return images.flatMap(([version, id]) => (id === undefined ? [] : [{ version, id }]));
}

/** The boot image of the mode `allowlist-only`. */
export function bootImageOf({ bootImages }: LinkedImages, version: FormatVersion): ObjectId | undefined {
  return bootImages?.get(bootImageRefKey(version, 'allowlist-only'));
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
