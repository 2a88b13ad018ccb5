export { inferRepoAlgorithm, readRepoAlgorithm } from './algorithm.js';
export { commitImages, commitImageVersion, computeImageId } from './commit.js';
export type { ContentDestination } from './file-contents.js';
export { FlatDigestStore } from './flat-digest-store.js';
export { checkRepository, type FsckRequest } from './fsck.js';
export { type FsckError, formatFsckError } from './fsck-error.js';
export {
  type FsckResult,
  type FsckResultWire,
  formatFsckResult,
  fsckReport,
  fsckResultToWire,
  isFsckOk,
} from './fsck-result.js';
export {
  collectGarbage,
  formatGcResult,
  type GcRequest,
  type GcResult,
  type GcResultWire,
  gcResultToWire,
} from './gc.js';
export type { RepositoryHost, SyncingHost } from './host.js';
export { ImportContext, type ImportOptions } from './import-file.js';
export type { RepositoryConfig } from './init.js';
export { systemPath, userPath } from './location.js';
export {
  checkCompatible,
  effectiveFormats,
  METADATA_FILENAME,
  newMetadata,
  parseMetadata,
  REPOSITORY_FORMAT_VERSION,
  type RepositoryAccess,
  type RepositoryFeatures,
  type RepositoryMetadata,
  serializeMetadata,
  V1_EROFS_FEATURE,
} from './metadata.js';
export { ObjectStore, type ObjectStoreMethod, type ObjectStoreOptions, type StoredObject } from './object-store.js';
export type { ObjectWriter } from './object-writer.js';
export type { OpenOptions } from './open.js';
export { RepositoryOpenError, type RepositoryOpenErrorKind } from './open-error.js';
export { ImageNotFoundError, type OpenImage } from './open-image.js';
export { FlatStoreError, type ReadDirectoryOptions, readDirectory } from './read-directory.js';
export { ReadableRepository } from './readable-repository.js';
export type { RefEntry } from './refs.js';
export { type EnsureStatus, type LongCallOptions, Repository } from './repository.js';
export { resetMetadata } from './reset-metadata.js';
export { NotWritableError } from './writable.js';
