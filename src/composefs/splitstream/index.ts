export { catSplitStream } from './cat.js';
export { SplitStreamError } from './format.js';
export { type SplitStreamData, SplitStreamReader } from './reader.js';
export { bufferSource, fdSource, type SplitStreamSource } from './source.js';
export { SplitStreamWriter } from './writer.js';
