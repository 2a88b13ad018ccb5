export type { LongCallOptions } from '../../threads/jobs.js';
export { type CommitOptions, computeImageId } from './commit.js';
export { RepositoryOpenError, type RepositoryOpenErrorKind } from './directory/open-error.js';
export { NotWritableError } from './directory/writable.js';
export { checkRepository, type FsckRequest } from './fsck/fsck.js';
export { type FsckError, formatFsckError } from './fsck/fsck-error.js';
export {
  type FsckResult,
  type FsckResultWire,
  formatFsckResult,
  fsckReport,
  fsckResultToWire,
  isFsckOk,
} from './fsck/fsck-result.js';
export {
  formatGcResult,
  type GcRequest,
  type GcResult,
  type GcResultWire,
  gcResultToWire,
} from './gc/gc.js';
export type { RepositoryConfig } from './init.js';
export { systemPath, userPath } from './location.js';
export { inferRepoAlgorithm, readRepoAlgorithm } from './metadata/algorithm.js';
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
} from './metadata/metadata.js';
export { resetMetadata } from './metadata/reset-metadata.js';
export { ImageNotFoundError, type OpenImage } from './names/open-image.js';
export type { OpenStreamOptions } from './names/open-stream.js';
export type { RefEntry } from './names/refs.js';
export type { RepositoryHost, SyncingHost } from './objects/host.js';
export { ImportContext, type ImportOptions } from './objects/import-file.js';
export { ObjectStore, type ObjectStoreOptions } from './objects/object-store.js';
export type { ObjectWriter } from './objects/object-writer.js';
export type { ObjectStoreMethod, StoredObject } from './objects/stored-object.js';
export type { OpenOptions } from './open.js';
export { type FsckOptions, ReadableRepository } from './readable-repository.js';
export { type EnsureStatus, type GcOptions, Repository } from './repository.js';
