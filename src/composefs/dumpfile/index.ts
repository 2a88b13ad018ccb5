export { listTree, objectPaths } from './c-listing.js';
export { type CDumpfile, type CDumpfileOptions, parseCDumpfile, parseCDumpfilePieces } from './c-parser.js';
export { type CDumpOptions, type StoredInode, writeCDumpfile } from './c-writer.js';
export { DumpfileError } from './dumpfile-error.js';
export { type DumpEntry, type DumpItem, parseDumpEntry } from './entry.js';
export { formatDirectory, formatHardlink, formatLeaf } from './format.js';
export { parseDumpfile } from './parser.js';
export { dumpSingleDir, dumpSingleFile, writeDumpfile } from './writer.js';
