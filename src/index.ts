/** composefs-oci: OCI container images stored, checked and mounted as composefs file systems. */

export * from './boot/index.js';
export * as composefs from './composefs/index.js';
export { type Finding, type FindingState, inspectMachine, type MachineReport } from './doctor/index.js';
export { ComposefsError, errorChain, errorCode, fullMessage } from './errors.js';
export * from './fuse/index.js';
export * from './oci/index.js';
export {
  type ComponentId,
  nullReporter,
  type ProgressEvent,
  type ProgressReporter,
  type ProgressUnit,
  RecordingReporter,
} from './progress.js';
export { type ListedImage, listStoredImages, type OpenStores, openStores } from './storage/index.js';
export { type UserNamespaceLauncher, userNamespaceLauncher } from './system/user-namespace.js';
