import { ComposefsError } from '../../errors.js';

/** How a layer blob is compressed; `by-content` where the media type cannot be trusted to tell. */
export type LayerCompression = 'none' | 'gzip' | 'zstd' | 'by-content';

const OCI_TAR_TYPES: ReadonlyMap<string, LayerCompression> = new Map([
  ['application/vnd.oci.image.layer.v1.tar', 'none'],
  ['application/vnd.oci.image.layer.v1.tar+gzip', 'gzip'],
  ['application/vnd.oci.image.layer.v1.tar+zstd', 'zstd'],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar', 'none'],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar+gzip', 'gzip'],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar+zstd', 'zstd'],
]);

const DOCKER_TAR_TYPES: ReadonlySet<string> = new Set([
  'application/vnd.docker.image.rootfs.diff.tar',
  'application/vnd.docker.image.rootfs.diff.tar.gzip',
  'application/vnd.docker.image.rootfs.diff.tar.zstd',
  'application/vnd.docker.image.rootfs.foreign.diff.tar',
  'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
  'application/vnd.docker.image.rootfs.foreign.diff.tar.zstd',
]);

/** True for the six tar layer types of OCI, exactly as written (spec 40 §2.5); anything else is an opaque blob. */
export function isTarMediaType(mediaType: string): boolean {
  return OCI_TAR_TYPES.has(mediaType);
}

/** True for the layer types of Docker's schema 2, which are tars as well (spec 40 §18.2, H-4). */
export function isDockerTarMediaType(mediaType: string): boolean {
  return DOCKER_TAR_TYPES.has(mediaType);
}

/**
 * The compression that a layer's media type declares. Docker's types do not bind: a `docker-archive` announces plain
 * tars as gzip.
 *
 * @throws ComposefsError `UNSUPPORTED_MEDIA_TYPE` if it is no tar layer.
 */
export function layerCompression(mediaType: string): LayerCompression {
  const compression = OCI_TAR_TYPES.get(mediaType);
  if (compression !== undefined) return compression;
  if (isDockerTarMediaType(mediaType)) return 'by-content';
  throw new ComposefsError('UNSUPPORTED_MEDIA_TYPE', `Unsupported layer media type for decompression: ${mediaType}`);
}
