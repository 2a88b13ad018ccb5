/** OCI images in a composefs repository. The names are those of the `composefs-oci` crate, in camelCase. */

export { openBlob, writeBlob } from './blob.js';
export {
  type ConfigRefs,
  type LinkedImages,
  type OpenConfig,
  openConfig,
  writeConfig,
  writeConfigRaw,
} from './config-stream.js';
export type { ContentAndVerity } from './content-and-verity.js';
export { type EnsureImagesOptions, ensureComposefsErofs, type UpgradeResult, upgradeRepo } from './erofs-images.js';
export { OciImageNotFound, OciRefNotFound } from './errors.js';
export { createFilesystem, type FilesystemOptions } from './filesystem.js';
export { isOciFsckOk, type OciFsckResult, ociFsck, ociFsckImage } from './fsck.js';
export { formatOciFsckError, type OciFsckError } from './fsck-error.js';
export {
  BLOB_CONTENT_TYPE,
  BOOT_IMAGE_REF_KEY,
  BOOT_IMAGE_REF_KEY_V1,
  blobIdentifier,
  configIdentifier,
  IMAGE_REF_KEY,
  IMAGE_REF_KEY_V1,
  LAYER_CONTENT_TYPE,
  layerContentId,
  manifestIdentifier,
  OCI_REF_PREFIX,
} from './identifiers.js';
export { OciImage } from './image.js';
export { type ImportLayerOptions, importLayer } from './import-layer.js';
export {
  formatStats,
  type ImportStats,
  newBytes,
  newObjects,
  totalObjects,
} from './import-stats.js';
export { processEntry } from './layer/apply-layer.js';
export type { LayerInfo, SplitstreamInfo } from './layer/layer-info.js';
export type { LayerLimits } from './layer/layer-limits.js';
export { LAYER_RULES, type LayerRules } from './layer/layer-rules.js';
export { isTarMediaType } from './layer/media-type.js';
export { readTarEntries, type TarEntry, type TarItem } from './layer/tar-entry.js';
export type { PulledLayer } from './layer-importer.js';
export { layerDumpfile, layerInfo, layerTar } from './layers.js';
export {
  type ImageInfo,
  type ImageInspection,
  inspectImage,
  type ListImagesOptions,
  listImages,
} from './listing.js';
export {
  composefsBootErofsForConfig,
  composefsBootErofsForManifest,
  composefsErofsForConfig,
  composefsErofsForManifest,
} from './lookup.js';
export { hasManifest, type ManifestLinks, writeManifest } from './manifest-stream.js';
export type { ConfigDocument, ImageConfiguration } from './model/config.js';
export type { Descriptor } from './model/descriptor.js';
export { extractDiffIds, extractLayerIds } from './model/diff-ids.js';
export { OciDigest, parseOciDigest, sha256ContentDigest } from './model/digest.js';
export { type ImageManifest, isContainerImage, type ManifestDocument } from './model/manifest.js';
export { formatPlatform, hostPlatform, type Platform, parsePlatform } from './model/platform.js';
export { type PulledImage, type PullOptions, type PullResult, pull, pullFrom } from './pull.js';
export {
  addReferrer,
  cleanupDanglingReferrers,
  listReferrers,
  removeReferrer,
  removeReferrersForSubject,
} from './referrers.js';
export { type LoginTarget, login, logout, parseLoginTarget } from './registry/login.js';
export type { GivenCredentials, RegistryConfigOptions } from './registry/registry-config.js';
export { SkopeoError } from './skopeo/proxy-error.js';
export type { BlobLocation, ImageSource, LentLayer } from './sources/image-source.js';
export { openSource } from './sources/open-source.js';
export { listRefs, resolveRef, tagImage, untagImage } from './tags.js';
