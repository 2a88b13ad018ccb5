export { DumpfileError } from './dumpfile-error.js';
export { type DumpEntry, type DumpItem, parseDumpEntry } from './entry.js';
export { formatDirectory, formatHardlink, formatLeaf } from './format.js';
export { parseDumpfile } from './parser.js';
export { dumpSingleDir, dumpSingleFile, writeDumpfile } from './writer.js';
