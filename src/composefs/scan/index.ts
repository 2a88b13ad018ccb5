export { INLINE_CONTENT_MAX_V0 } from '../../tar/limits.js';
export type { ContentDestination } from './file-contents.js';
export type { FileStore } from './file-digests.js';
export { FlatDigestStore } from './flat-digest-store.js';
export { LazyDirectory, type LazyDirectoryOptions } from './lazy-directory.js';
export { FlatStoreError, type ReadDirectoryOptions, readDirectory } from './read-directory.js';
export { type HardlinkBehavior, readFilesystem, type ScanOptions } from './scan.js';
export { FileContentError, ScanError } from './scan-error.js';
