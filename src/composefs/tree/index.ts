export { Directory } from './directory.js';
export { ImageError, type ImageErrorKind } from './image-error.js';
export {
  fileSize,
  fileTypeBits,
  type Inode,
  isWhiteout,
  Leaf,
  type LeafContent,
  type RegularFile,
} from './inode.js';
export { type LeafOrigin, type LeafOrigins, OriginLeaf, OWN_ORIGINS } from './leaf-origin.js';
export {
  getDirectory,
  getDirectoryMut,
  getDirectoryOpt,
  getFile,
  getFileOpt,
  getLeaf,
  splitPath,
  splitPathMut,
} from './lookup.js';
export { fileName, parentPath, pathComponents } from './path.js';
export { type ObjectSource, readFile, readFileChunks } from './read-file.js';
export {
  type FileStore,
  type HardlinkBehavior,
  INLINE_CONTENT_MAX_V0,
  readContainerRoot,
  readFilesystem,
  type ScanOptions,
} from './scan.js';
export { FileContentError, ScanError } from './scan-error.js';
export { NO_XATTRS, type Stat, UNINITIALIZED_STAT, type Xattrs } from './stat.js';
export {
  CONTAINER_XATTR_ALLOWLIST,
  canonicalizeRun,
  copyRootMetadataFromUsr,
  isAllowedContainerXattr,
  type OciTransformOptions,
  parseXattrFiltering,
  removeDevices,
  resetMtimes,
  transformForOci,
  XATTR_FILTERINGS,
  type XattrFiltering,
} from './transform.js';
export {
  cloneTree,
  countLinks,
  directories,
  filterXattrs,
  forEachStat,
  inodes,
  mapRegular,
  newestFile,
  retainTopLevel,
} from './walk.js';
export { writeToPath } from './write-to-path.js';
