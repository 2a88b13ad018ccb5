/**
 * The core of composefs, which knows nothing of OCI: repositories, objects, EROFS images and the trees in them, dumpfiles,
 * splitstreams, fs-verity digests, mounts. The classes of errors are in `composefs-oci/errors`.
 *
 * @module composefs-oci/composefs
 */

export {
  type ByteString,
  byteStringFrom,
  byteStringFromText,
  byteStringToBuffer,
  byteStringToText,
} from '../bytes/byte-string.js';
export type { LongCallOptions } from '../threads/jobs.js';
export { findReasons, type Reason, type ReasonStep } from './account/reasons.js';
export type { GraphOptions } from './account/reference-graph.js';
export type { Usage } from './account/usage.js';
export { ASPECTS, type Aspect } from './compare/aspects.js';
export type { EntryType } from './compare/comparable-tree.js';
export type { CompareOptions } from './compare/compare-trees.js';
export {
  type Difference,
  type DifferenceKind,
  type DifferenceSummary,
  type EntryState,
  summarise,
} from './compare/difference.js';
export { type DifferenceGroup, groupDifferences } from './compare/group-differences.js';
export { parseDumpfile } from './dumpfile/in-turns.js';
export { dumpfilePieces, dumpSingleDir, dumpSingleFile, writeDumpfile } from './dumpfile/writer.js';
export {
  DEFAULT_FORMAT_CONFIG,
  DEFAULT_FORMAT_VERSION,
  type FormatConfig,
  type FormatVersion,
} from './erofs/format/constants.js';
export { collectObjects, readErofsTree, writeErofs } from './erofs/in-turns.js';
export type { ErofsDialect, ErofsOptions } from './erofs/writer/options.js';
export {
  DEFAULT_ALGORITHM,
  digestSize,
  formatAlgorithm,
  HASH_ALGORITHMS,
  type HashAlgorithm,
  parseAlgorithm,
} from './fsverity/algorithm.js';
export { computeVerity, computeVerityOfFd } from './fsverity/digest.js';
export { FsVerityHasher } from './fsverity/hasher.js';
export {
  enableVerityMaybeCopy,
  ensureVerityEqual,
  hasVerity,
  measureVerity,
  measureVerityOpt,
} from './fsverity/kernel.js';
export {
  formatObjectId,
  type ObjectId,
  objectIdFromBytes,
  objectIdToBytes,
  objectPathname,
  parseObjectId,
} from './fsverity/object-id.js';
export { Mount } from './mount/mount-handle.js';
export { type MountableRepository, mountImage, mountImageAt } from './mount/mount-image.js';
export type { MountOptions, MountRestrictions, VerityRequirement } from './mount/options.js';
export { type UnmountOptions, unmountImage } from './mount/unmount.js';
export { type CommitOptions, computeImageId } from './repository/commit.js';
export { type FsckError, formatFsckError } from './repository/fsck/fsck-error.js';
export {
  type FsckResult,
  type FsckResultWire,
  formatFsckResult,
  fsckReport,
  fsckResultToWire,
  isFsckOk,
} from './repository/fsck/fsck-result.js';
export { formatGcResult, type GcResult, type GcResultWire, gcResultToWire } from './repository/gc/gc.js';
export type { SweptFiles } from './repository/gc/gc-leftovers.js';
export type { RepositoryConfig } from './repository/init.js';
export { systemPath, userPath } from './repository/location.js';
export { inferRepoAlgorithm, readRepoAlgorithm } from './repository/metadata/algorithm.js';
export type { RepositoryFeatures, RepositoryMetadata } from './repository/metadata/metadata.js';
export { resetMetadata } from './repository/metadata/reset-metadata.js';
export type { Category } from './repository/names/category.js';
export type { OpenImage } from './repository/names/open-image.js';
export type { OpenStreamOptions } from './repository/names/open-stream.js';
export type { RefEntry } from './repository/names/refs.js';
export type { StreamNames } from './repository/names/streams.js';
export type { RepositoryHost } from './repository/objects/host.js';
export type { ObjectStore } from './repository/objects/object-store.js';
export type { ObjectStoreMethod, StoredObject } from './repository/objects/stored-object.js';
export type { OpenOptions } from './repository/open.js';
export { type FsckOptions, ReadableRepository } from './repository/readable-repository.js';
export { type EnsureStatus, type GcOptions, Repository } from './repository/repository.js';
export type { ContentDestination } from './scan/file-contents.js';
export { type ReadDirectoryOptions, readDirectory } from './scan/read-directory.js';
export type { HardlinkBehavior } from './scan/scan.js';
export type { SplitStreamData, SplitStreamReader } from './splitstream/reader.js';
export type { SplitStreamWriter } from './splitstream/writer.js';
export {
  Directory,
  deviceNumbers,
  fileSize,
  fileTypeBits,
  type Inode,
  isWhiteout,
  Leaf,
  type LeafContent,
  type RegularFile,
} from './tree/inode.js';
export { getDirectory, getFile, getLeaf, splitPath } from './tree/lookup.js';
export { type ObjectSource, readFile, readFileChunks } from './tree/read-file.js';
export { NO_XATTRS, type Stat, type Xattrs } from './tree/stat.js';
export {
  cloneTree,
  countLinks,
  directories,
  filterXattrs,
  forEachStat,
  inodes,
  removeDevices,
  resetMtimes,
} from './tree/walk.js';
export type { ExtractOptions, ExtractResult } from './view/extract.js';
export {
  ImageFileSystem,
  type ImagePath,
  type ReadFileOptions,
  type ReadStreamOptions,
} from './view/image-file-system.js';
export type { FileTypeTests, ImageDirent, ImageStats } from './view/image-stats.js';
export type { ObjectOpener } from './view/object-content.js';
export { type ImageHost, type OpenImageFileSystemOptions, openImageFileSystem } from './view/open-image.js';
