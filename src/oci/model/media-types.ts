import { ComposefsError } from '../../errors.js';

/** Media types of manifests, configs, indexes and layers. */

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const OCI_IMAGE_CONFIG = 'application/vnd.oci.image.config.v1+json';
/** The config of an artifact that has none: the bytes `{}`. */
export const OCI_EMPTY = 'application/vnd.oci.empty.v1+json';

export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
export const DOCKER_MANIFEST_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
/** With `+prettyjws` it is signed. */
const DOCKER_SCHEMA1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+(?:json|prettyjws)$/;
export const SCHEMA1_HINT =
  'Docker image manifests of version 1 are not supported: push the image again with a current tool.';
export const DOCKER_IMAGE_CONFIG = 'application/vnd.docker.container.image.v1+json';

/** `artifactType` of a manifest that describes the difference between two images (spec 40 §11.1). */
export const DELTA_ARTIFACT_TYPE = 'application/vnd.io.github.containers.oci-delta.v1';

/** Annotation of an index entry: the tag. */
export const REF_NAME_ANNOTATION = 'org.opencontainers.image.ref.name';
/** Annotation of an index entry, set by containers/image: with the value `true` its layers are Zstandard. */
export const ZSTD_ANNOTATION = 'io.github.containers.compression.zstd';

export function isManifestMediaType(mediaType: string): boolean {
  return mediaType === OCI_MANIFEST || mediaType === DOCKER_MANIFEST;
}

export function isIndexMediaType(mediaType: string): boolean {
  return mediaType === OCI_INDEX || mediaType === DOCKER_MANIFEST_LIST;
}

/** Docker's image manifests of version 1, which describe images in another way. */
export function isSchema1MediaType(mediaType: string): boolean {
  return DOCKER_SCHEMA1.test(mediaType);
}

/**
 * Whether a config of this type is an image config, which makes its manifest a container image and not an artifact
 * (spec 40 §2.5). Docker's type counts too (H-4): the documents have the fields that the OCI ones require.
 */
export function isImageConfigMediaType(mediaType: string): boolean {
  return mediaType === OCI_IMAGE_CONFIG || mediaType === DOCKER_IMAGE_CONFIG;
}

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
  if (isTarLayer(mediaType)) return;
  throw new ComposefsError('UNSUPPORTED_MEDIA_TYPE', `Unsupported layer media type for decompression: ${mediaType}`);
}
