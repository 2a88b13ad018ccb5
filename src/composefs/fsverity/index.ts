export {
  AlgorithmParseError,
  digestSize,
  formatAlgorithm,
  HASH_ALGORITHMS,
  type HashAlgorithm,
  kernelId,
  LG_BLOCKSIZE,
  parseAlgorithm,
  veritySuffix,
} from './algorithm.js';
export { computeVerity, computeVerityOfFd } from './digest.js';
export { FsVerityHasher } from './hasher.js';
export {
  enableVerityMaybeCopy,
  enableVerityRaw,
  enableVerityWithRetry,
  ensureVerityEqual,
  hasVerity,
  measureVerity,
  measureVerityOpt,
} from './kernel.js';
export {
  formatObjectId,
  type ObjectId,
  objectIdFromBytes,
  objectIdFromDirAndBasename,
  objectIdFromPathname,
  objectIdToBytes,
  objectPathname,
  parseObjectId,
} from './object-id.js';
export {
  CompareVerityError,
  EnableVerityError,
  type EnableVerityErrorKind,
  MeasureVerityError,
  type MeasureVerityErrorKind,
} from './verity-error.js';
