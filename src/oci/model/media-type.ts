import { ComposefsError } from '../../errors.js';

const OCI_TAR_TYPES: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.layer.v1.tar',
  'application/vnd.oci.image.layer.v1.tar+gzip',
  'application/vnd.oci.image.layer.v1.tar+zstd',
  'application/vnd.oci.image.layer.nondistributable.v1.tar',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd',
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

/** True for layers that are stored unpacked. */
export function isTarLayer(mediaType: string): boolean {
  return isTarMediaType(mediaType) || isDockerTarMediaType(mediaType);
}

/**
 * Refuses a layer of an image that is no tar. How a tar is compressed is told by its content: builders, and registries
 * that convert, often leave a media type that says something else.
 *
 * @throws ComposefsError `UNSUPPORTED_MEDIA_TYPE`
 */
export function requireTarMediaType(mediaType: string): void {
  if (isTarMediaType(mediaType) || isDockerTarMediaType(mediaType)) return;
  throw new ComposefsError('UNSUPPORTED_MEDIA_TYPE', `Unsupported layer media type for decompression: ${mediaType}`);
}
