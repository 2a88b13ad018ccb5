/**
 * Support for tests of programs that talk to registries: `composefs-oci/testing`.
 *
 * @module composefs-oci/testing
 */

export type { ImageIndex } from '../oci/model/index-document.js';
export { RecordingReporter } from '../progress.js';
export type { Fault, FaultCondition, FaultHandle } from './fault.js';
export type { ManifestInput } from './image-content.js';
export type { RegistryAction, RegistryAuth, TokenOptions, UserOptions } from './registry-auth.js';
export {
  type BlobContent,
  RegistryContents,
  type RepositoryContents,
  type StoredManifest,
} from './registry-contents.js';
export type { LoggedRequest } from './registry-server.js';
export {
  type ImageInput,
  type PutManifestOptions,
  TestRegistry,
  type TestRegistryOptions,
} from './test-registry.js';
