export { ImageError, type ImageErrorKind } from './image-error.js';
export {
  Directory,
  fileSize,
  fileTypeBits,
  type Inode,
  isWhiteout,
  Leaf,
  type LeafContent,
  type RegularFile,
} from './inode.js';
export { type LeafOrigin, type LeafOrigins, OriginLeaf, OWN_ORIGINS } from './leaf-origin.js';
export * from './limits.js';
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
