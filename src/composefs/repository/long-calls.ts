export { runFsck } from './fsck/run-fsck.js';
export { runObjectSearch } from './gc/run-gc.js';
export { readImageTree } from './names/images.js';
