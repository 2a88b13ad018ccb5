export { listTree, objectPaths } from './c-listing.js';
export {
  type CDumpfile,
  type CDumpfileOptions,
  parseCDumpfile,
  parseCDumpfilePieces,
} from './c-parser.js';
export { type CDumpOptions, type StoredInode, writeCDumpfile } from './c-writer.js';
export { type CReadOptions, type CTree, readCTree, type StoredCounts } from './read-tree-c.js';
