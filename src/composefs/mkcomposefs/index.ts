/** The dialect of the C tools: their dumpfiles, listings, limits, and how they read images. For the commands of their names. */

export { fitCXattrs } from './c-line.js';
export { listTree, objectPaths } from './c-listing.js';
export {
  type CDumpfileOptions,
  parseCDumpfile,
  parseCDumpfilePieces,
} from './c-parser.js';
export { type CDumpOptions, type StoredInode, writeCDumpfile } from './c-writer.js';
export { type CReadOptions, type CTree, readCTree, type StoredCounts } from './read-tree-c.js';
export { hasWhiteout, selectEpoch1Version, type VersionRange } from './version-selection.js';
