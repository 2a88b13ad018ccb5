/** The core of composefs, which knows nothing of OCI: repositories, images, dumpfiles, splitstreams, digests, mounts. */

export {
  type ByteString,
  byteStringFrom,
  byteStringFromText,
  byteStringToBuffer,
  byteStringToText,
} from '../bytes/byte-string.js';
export * from './account/index.js';
export * from './compare/index.js';
export * from './dumpfile/index.js';
// In place of those that block, which the next line has as well.
export { readErofsTree, writeErofs } from './erofs/in-turns.js';
export * from './erofs/index.js';
export * from './fsverity/index.js';
export * from './mkcomposefs/index.js';
export * from './mount/index.js';
export * from './repository/index.js';
export * from './scan/index.js';
export * from './splitstream/index.js';
export * from './tree/index.js';
export * from './view/index.js';
