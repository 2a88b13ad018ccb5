/**
 * OCI container images stored, checked and mounted as composefs file systems.
 *
 * @module composefs-oci
 */

export * as composefs from './composefs/index.js';
export {
  type Finding,
  type FindingState,
  type InspectOptions,
  inspectMachine,
  type MachineReport,
  type Outcome,
} from './doctor/index.js';
export { ComposefsError, errorChain, errorCode, findCause, fullMessage } from './errors.js';
export type { FuseRepository } from './fuse/image-source.js';
export { type MountEitherOptions, mountEither, type ServeEitherOptions, serveEither } from './fuse/mount-either.js';
export { FuseMount, mountFuse, type ServeFuseOptions, serveFuse } from './fuse/mount-fuse.js';
export type { FuseMountOptions } from './fuse/mount-plan.js';
export * from './oci/index.js';
export {
  type ComponentId,
  NullReporter,
  nullReporter,
  type ProgressEvent,
  type ProgressReporter,
  type ProgressUnit,
  type SharedReporter,
} from './progress.js';
export {
  type ListedImage,
  listStoredImages,
  type StoreChoice,
  type StoreDriver,
  type StoredImages,
} from './storage/index.js';
