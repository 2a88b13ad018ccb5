/** OCI images in a composefs repository. The names are those of the `composefs-oci` crate, in camelCase. */

export type { TarRules } from '../tar/header.js';
export { findKept, type KeptThing } from './account/find-kept.js';
export {
  type FileCount,
  type HistoryLayer,
  type HistoryStep,
  type ImageHistory,
  imageHistory,
} from './account/image-history.js';
export {
  type ImageUsage,
  type ImageUsageOptions,
  imageUsage,
  type LayerUsage,
  type SharedUsage,
  type StoreUsage,
} from './account/image-usage.js';
export { type PrunedTag, type PruneOptions, pruneTags } from './account/prune-tags.js';
export { STORE_KINDS, type StoreKind, type StoreSummary, storeUsage } from './account/store-usage.js';
export { type DownloadLimits, DownloadSlots } from './blob/download-slots.js';
export type { Transfer } from './blob/layer-blob.js';
export {
  type BootImageMatch,
  type BootImageOptions,
  bootImage,
  bootImageForMode,
  findMatchingBootImage,
  generateBootImage,
  removeBootImage,
} from './boot/boot-images.js';
export type { BootBuildOptions } from './boot/build.js';
export {
  type BootCheck,
  type BootProblem,
  type CheckBootOptions,
  checkBoot,
} from './boot/check-boot.js';
export { type PrepareBootOptions, type PreparedBoot, prepareBoot } from './boot/prepare-boot.js';
export { type Compared, type CompareImagesOptions, compareImages } from './compare/compare-images.js';
export { type Credentials, findCredentials, type OnMissingHelper } from './containers-config/credentials.js';
export type { GivenCredentials, RegistryConfigOptions } from './containers-config/registry-config.js';
export { type DigestMatch, describeExplanation, describeRule, type OwnImage } from './explain/describe-match.js';
export type { ImageRules, MtimeRule, RuleName } from './explain/image-rules.js';
export { type MatchOptions, matchDigest } from './explain/match-digest.js';
export type { TreeChanges } from './explain/tree-changes.js';
export { type ExportedDigests, type ExportOptions, exportImage } from './export/export-image.js';
export { type ExportTarget, type ExportTransport, parseExportTarget, STANDARD_OUTPUT } from './export/export-target.js';
export type { Recompression } from './export/layer-compression.js';
export type { Content } from './export/outgoing-content.js';
export type { OutgoingOptions } from './export/outgoing-image.js';
export { type FileToFind, type FoundFile, findFiles, type WantedFile } from './files/find-files.js';
export {
  type FindInLayersOptions,
  type FoundInLayer,
  findInLayers,
  type SearchedLayer,
} from './files/find-in-layers.js';
export { type ImageFilesOptions, openImageFiles } from './files/image-files.js';
export { findLayer, openLayerFiles } from './files/layer-files.js';
export { isOciFsckOk, type OciFsckOptions, type OciFsckResult, ociFsck, ociFsckImage } from './fsck/fsck.js';
export { formatOciFsckError, type OciFsckError } from './fsck/fsck-error.js';
export type { RetryObserver, RetryPolicy } from './http/retry.js';
export type { HttpTimeouts } from './http/timeouts.js';
export { type ImportLayerOptions, importLayer } from './import/layer/import-layer.js';
export {
  formatStats,
  type ImportStats,
  newBytes,
  newObjects,
  totalObjects,
} from './import/layer/import-stats.js';
export { pull } from './import/pull.js';
export { type PulledStreams, pullImage } from './import/pull-image.js';
export type { PulledImage, PulledLayer, PullOptions, PullResult } from './import/pull-options.js';
export { type UpgradeOptions, type UpgradeResult, upgradeRepo } from './import/upgrade.js';
export { processEntry } from './layer/apply-layer.js';
export { type CreateFilesystemOptions, createFilesystem, type FilesystemOptions } from './layer/filesystem.js';
export { type InspectLayerOptions, layerDumpfile, layerInfo, layerTar } from './layer/inspect-layer.js';
export type { LayerInfo, SplitstreamInfo } from './layer/layer-info.js';
export { LAYER_RULES, type LayerRules } from './layer/layer-rules.js';
export { readTarEntries, type TarEntry, type TarItem } from './layer/tar-entry.js';
export type { ConfigDocument, ContainerConfig, HistoryEntry, ImageConfiguration } from './model/config.js';
export type { Descriptor } from './model/descriptor.js';
export { extractDiffIds, extractLayerIds } from './model/diff-ids.js';
export { digestEncoded, OciDigest, parseOciDigest, sha256ContentDigest } from './model/digest.js';
export type { LayerLimits } from './model/layer-limits.js';
export type { ImageManifest, ManifestDocument } from './model/manifest.js';
export { isTarMediaType } from './model/media-types.js';
export { hostPlatform, type Platform, parsePlatform } from './model/platform.js';
export type { RegistryReference } from './model/registry-reference.js';
export type { Document, KeySet } from './model/schema.js';
export { type MountOptions, mount } from './mount/mount.js';
export { type PushOptions, type PushResult, parsePushReference, pushImage } from './push/push-image.js';
export type { BlobOutcome, PushTargetOptions } from './push/push-target.js';
export { type LoginOptions, type LoginTarget, listLogins, login, logout, parseLoginTarget } from './registry/login.js';
export type { ReadVia } from './sources/image-source.js';
export { listLayoutTags } from './sources/oci-layout.js';
export type { LocalFetchOpt } from './sources/open-source.js';
export { type OpenBlobOptions, openBlob, writeBlob } from './store/blob.js';
export {
  type ConfigRefs,
  type LinkedImages,
  type OpenConfig,
  type OpenConfigOptions,
  openConfig,
  writeConfig,
  writeConfigRaw,
} from './store/config-stream.js';
export type { ContentAndVerity } from './store/content-and-verity.js';
export { isDigestText } from './store/digest-text.js';
export { OciErofsNotFound, OciImageNotFound, OciRefNotFound } from './store/errors.js';
export { findImage, type ImageName, resolveImage } from './store/find-image.js';
export { findImageOfConfig } from './store/find-image-of-config.js';
export { findErofsName, findMountable, type Mountable } from './store/find-mountable.js';
export { findRoot } from './store/find-root.js';
export { findStream, resolveLayer } from './store/find-stream.js';
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
} from './store/identifiers.js';
export { OciImage, type OpenImageOptions } from './store/image.js';
export type { LinkedErofsImage } from './store/linked-images.js';
export {
  type ImageInfo,
  type ImageInspection,
  inspectImage,
  type ListImagesOptions,
  listImages,
} from './store/listing.js';
export {
  type BootLookupOptions,
  composefsBootErofsForConfig,
  composefsBootErofsForManifest,
  composefsErofsForConfig,
  composefsErofsForManifest,
  linkedErofsImages,
} from './store/lookup.js';
export { hasManifest, type ManifestLinks, writeManifest } from './store/manifest-stream.js';
export {
  addReferrer,
  cleanupDanglingReferrers,
  listReferrers,
  removeReferrer,
  removeReferrersForSubject,
} from './store/referrers.js';
export { type NamedConfig, resolveConfig } from './store/resolve-config.js';
export { listRefs, resolveRef, tagImage, tagOfRef, untagImage, validateTag } from './store/tags.js';
export {
  type OciTransformOptions,
  parseXattrFiltering,
  transformForOci,
  XATTR_FILTERINGS,
  type XattrFiltering,
} from './tree/transform.js';
