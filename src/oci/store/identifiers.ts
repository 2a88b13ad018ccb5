import type { FormatVersion } from '../../composefs/erofs/format/constants.js';
import type { OciDigest } from '../model/digest.js';
import type { XattrFiltering } from '../tree/transform.js';

/** Names under which OCI content lives in a repository (spec 40 §1.1, §1.2, §1.4). */

/** `ocilayer`: a tar, split. */
export const LAYER_CONTENT_TYPE = 0x726579616c69636fn;
/** `oci_blob`: any other blob, as one object. */
export const BLOB_CONTENT_TYPE = 0x626f6c625f69636fn;
/** `ociconfg` */
export const CONFIG_CONTENT_TYPE = 0x67666e6f6369636fn;
/** `ocimanif` */
export const MANIFEST_CONTENT_TYPE = 0x66696e616d69636fn;

/** Tags are stream refs below this prefix. */
export const OCI_REF_PREFIX = 'oci/';
export const REFERRERS_REF_PREFIX = 'oci-referrers/';

export const LAYER_STREAM_PREFIX = 'oci-layer-';
export const BLOB_STREAM_PREFIX = 'oci-blob-';
export const MANIFEST_STREAM_PREFIX = 'oci-manifest-';
export const CONFIG_STREAM_PREFIX = 'oci-config-';

/** The content identifier of a layer's stream: `oci-layer-<diff_id>`. */
export function layerContentId(diffId: OciDigest): string {
  return `${LAYER_STREAM_PREFIX}${diffId}`;
}

/** The content identifier of a config's stream: `oci-config-<digest>`. */
export function configIdentifier(digest: OciDigest): string {
  return `${CONFIG_STREAM_PREFIX}${digest}`;
}

/** The content identifier of a manifest's stream: `oci-manifest-<digest>`. */
export function manifestIdentifier(digest: OciDigest): string {
  return `${MANIFEST_STREAM_PREFIX}${digest}`;
}

/** The content identifier of a blob's stream: `oci-blob-<digest>`. */
export function blobIdentifier(digest: OciDigest): string {
  return `${BLOB_STREAM_PREFIX}${digest}`;
}

/** Named ref of a manifest stream to its config's splitstream. */
export function configRefKey(configDigest: OciDigest): string {
  return `config:${configDigest}`;
}

/** Named refs of a config stream to its EROFS images. No layer key can equal them: a diff_id has a colon. */
export const IMAGE_REF_KEY = 'composefs.image';
/** {@link IMAGE_REF_KEY} of the image in format V1, or V0. */
export const IMAGE_REF_KEY_V1 = 'composefs.image.v1';
/** Every boot image key, of every version and mode, starts with this. */
export const BOOT_IMAGE_REF_KEY = 'composefs.image.boot';
/** {@link BOOT_IMAGE_REF_KEY} of the boot image in format V1, or V0. */
export const BOOT_IMAGE_REF_KEY_V1 = 'composefs.image.boot.v1';

/** The key of the boot image of a format and xattr mode. V0 and V1 share one. */
export function bootImageRefKey(version: FormatVersion, mode: XattrFiltering): string {
  const base = version === 2 ? BOOT_IMAGE_REF_KEY : BOOT_IMAGE_REF_KEY_V1;
  return mode === 'allowlist-only' ? base : `${base}.xattrs=${mode}`;
}
