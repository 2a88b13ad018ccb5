export { catSplitStream } from './cat.js';
export { SplitStreamError } from './error.js';
export { type SplitStreamData, SplitStreamReader } from './reader.js';
export { bufferSource, fdSource, type SplitStreamSource } from './source.js';
export { SplitStreamWriter } from './writer.js';
