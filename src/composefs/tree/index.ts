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
export { OriginLeaf } from './origin-leaf.js';
export { fileName, parentPath, pathComponents } from './path.js';
export { type ObjectSource, readFile, readFileChunks } from './read-file.js';
export { NO_XATTRS, type Stat, UNINITIALIZED_STAT, type Xattrs } from './stat.js';
export {
  cloneTree,
  countLinks,
  directories,
  filterXattrs,
  forEachStat,
  inodes,
  mapRegular,
  newestFile,
  removeDevices,
  resetMtimes,
  retainTopLevel,
} from './walk.js';
export { writeToPath } from './write-to-path.js';
