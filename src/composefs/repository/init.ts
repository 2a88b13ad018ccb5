import { mkdirSync } from 'node:fs';
import { ComposefsError } from '../../errors.js';
import { DEFAULT_FORMAT_CONFIG, type FormatConfig } from '../erofs/index.js';
import { formatAlgorithm, type HashAlgorithm } from '../fsverity/algorithm.js';
import { isErrno } from './files.js';
import { effectiveFormats, newMetadata, type RepositoryMetadata, sameMetadata } from './metadata.js';
import { readMetadata, writeMetadata } from './metadata-file.js';

/** How a new repository is to be (spec 10 §8.2). */
export interface RepositoryConfig {
  /** Default sha256. */
  readonly algorithm?: HashAlgorithm | undefined;
  /** Default V1. */
  readonly erofsFormats?: FormatConfig | undefined;
  /** True: without fs-verity on `meta.json`, and so for good. Default false. */
  readonly insecure?: boolean | undefined;
}

/** Makes the directory unless it is there. Its parents must be. */
export function makeRepositoryDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  }
}

/**
 * Makes the directory and its `meta.json` (spec 10 §8.3).
 *
 * @returns false if there is a repository of the same configuration already; whether that insists on fs-verity is not
 *   compared.
 * @throws ComposefsError `ALREADY_INITIALIZED` if it has another configuration.
 */
export function initDirectory(path: string, config: RepositoryConfig = {}): boolean {
  const { algorithm = 'sha256', erofsFormats = DEFAULT_FORMAT_CONFIG, insecure = false } = config;
  makeRepositoryDirectory(path);
  const wanted = newMetadata(algorithm, erofsFormats);
  try {
    writeMetadata(path, wanted, !insecure);
    return true;
  } catch (error) {
    // Whatever failed: what counts is whether the repository is there.
    const existing = readMetadata(path);
    if (existing === undefined) throw error;
    if (sameMetadata(existing, wanted)) return false;
    throw new ComposefsError(
      'ALREADY_INITIALIZED',
      'repository already initialized with different configuration ' +
        `(${describe(existing)}); cannot re-initialize with (${describe(wanted)})`,
      { hint: 'keep the existing configuration, or reset the metadata: that drops all images and streams' },
    );
  }
}

function describe(metadata: RepositoryMetadata): string {
  return `algorithm: ${formatAlgorithm(metadata.algorithm)}, erofs_version: V${effectiveFormats(metadata).default}`;
}
