import { ComposefsError } from '../../errors.js';

/** The hash of an fs-verity digest. All digests of a repository use the same one. */
export type HashAlgorithm = 'sha256' | 'sha512';

/** The hash algorithms that a repository can have. */
export const HASH_ALGORITHMS: readonly HashAlgorithm[] = ['sha256', 'sha512'];

/** Of new repositories, whoever makes them. */
export const DEFAULT_ALGORITHM: HashAlgorithm = 'sha512';

/** log2 of the Merkle tree block size: the only value that composefs supports. */
export const LG_BLOCKSIZE = 12;
export const VERITY_BLOCK_SIZE = 4096;

/** Bytes of one digest. */
export function digestSize(algorithm: HashAlgorithm): 32 | 64 {
  return algorithm === 'sha256' ? 32 : 64;
}

/** `FS_VERITY_HASH_ALG_*` of `linux/fsverity.h`. */
export function kernelId(algorithm: HashAlgorithm): 1 | 2 {
  return algorithm === 'sha256' ? 1 : 2;
}

/** `sha256-12`: as used in kernel arguments. */
export function veritySuffix(algorithm: HashAlgorithm): string {
  return `${algorithm}-${LG_BLOCKSIZE}`;
}

/** `fsverity-sha256-12`: as stored in `meta.json`. */
export function formatAlgorithm(algorithm: HashAlgorithm): string {
  return `fsverity-${veritySuffix(algorithm)}`;
}

/** Codes: `ALGORITHM_MISSING_PREFIX`, `…_MISSING_SEPARATOR`, `…_INVALID_BLOCK_SIZE`, `…_UNSUPPORTED_BLOCK_SIZE`, `…_UNKNOWN_HASH`. */
export class AlgorithmParseError extends ComposefsError {}

/** Parses `fsverity-<hash>-<lg_blocksize>` (spec 10 §4; the order of the checks is part of the contract). */
export function parseAlgorithm(text: string): HashAlgorithm {
  const prefix = 'fsverity-';
  if (!text.startsWith(prefix)) {
    throw new AlgorithmParseError('ALGORITHM_MISSING_PREFIX', `algorithm must start with '${prefix}'`);
  }
  const rest = text.slice(prefix.length);
  const separator = rest.lastIndexOf('-');
  if (separator < 0) {
    throw new AlgorithmParseError('ALGORITHM_MISSING_SEPARATOR', "algorithm must be 'fsverity-<hash>-<lg_blocksize>'");
  }
  const hash = rest.slice(0, separator);
  const lgBlocksize = rest.slice(separator + 1);
  if (!/^\+?[0-9]+$/.test(lgBlocksize) || Number(lgBlocksize) > 255) {
    throw new AlgorithmParseError('ALGORITHM_INVALID_BLOCK_SIZE', `invalid lg_blocksize '${lgBlocksize}'`);
  }
  if (Number(lgBlocksize) !== LG_BLOCKSIZE) {
    throw new AlgorithmParseError(
      'ALGORITHM_UNSUPPORTED_BLOCK_SIZE',
      `unsupported lg_blocksize ${Number(lgBlocksize)} (only ${LG_BLOCKSIZE} is currently supported)`,
    );
  }
  if (hash !== 'sha256' && hash !== 'sha512') {
    throw new AlgorithmParseError(
      'ALGORITHM_UNKNOWN_HASH',
      `unsupported hash algorithm '${hash}' (expected sha256 or sha512)`,
    );
  }
  return hash;
}
