import { constants, fchmodSync, mkdirSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { ComposefsError } from '../../errors.js';
import { isErrno, withFd } from '../../fs/files.js';
import { syncDirectory } from '../../fs/sync-file-system.js';
import { DEFAULT_FORMAT_CONFIG, type FormatConfig } from '../erofs/index.js';
import { DEFAULT_ALGORITHM, formatAlgorithm, type HashAlgorithm } from '../fsverity/algorithm.js';
import { type RepositoryRoot, withRoot } from './directory/root.js';
import { requireOwner } from './directory/writable.js';
import { effectiveFormats, newMetadata, type RepositoryMetadata, sameMetadata } from './metadata/metadata.js';
import { readMetadata, writeMetadata } from './metadata/metadata-file.js';

/** How a new repository is to be (spec 10 §8.2). */
export interface RepositoryConfig {
  /** Default sha512, as that of `cfsctl init`. */
  readonly algorithm?: HashAlgorithm | undefined;
  /** Default V1. */
  readonly erofsFormats?: FormatConfig | undefined;
  /** True: without fs-verity on `meta.json`, and so for good. Default false. */
  readonly insecure?: boolean | undefined;
  /** As root, go on also in a directory of another user. Default false. */
  readonly allowForeignOwner?: boolean | undefined;
}

const DIRECTORY_MODE = 0o700;

/** Makes the directory unless it is there. Its parents must be. */
export function makeRepositoryDirectory(path: string): void {
  // Without a slash at its end, which would make a symlink be followed below.
  const directory = resolve(path);
  try {
    mkdirSync(directory, { mode: DIRECTORY_MODE });
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return;
    throw error;
  }
  // The umask may be anything; and whoever owns the parent may have put a link to something else in its place.
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  withFd(openSync(directory, flags), (fd) => fchmodSync(fd, DIRECTORY_MODE));
  syncDirectory(dirname(directory));
}

/**
 * Makes the directory and its `meta.json` (spec 10 §8.3).
 *
 * @returns false if there is a repository of the same configuration already; whether that insists on fs-verity is not
 *   compared.
 * @throws ComposefsError `ALREADY_INITIALIZED` if it has another configuration.
 */
export function initDirectory(path: string, config: RepositoryConfig = {}): boolean {
  makeRepositoryDirectory(path);
  return withRoot(path, config, (root) => initRoot(root, config));
}

function initRoot(root: RepositoryRoot, config: RepositoryConfig): boolean {
  const { algorithm = DEFAULT_ALGORITHM, erofsFormats = DEFAULT_FORMAT_CONFIG, insecure = false } = config;
  const wanted = newMetadata(algorithm, erofsFormats);
  requireOwner(root);
  try {
    writeMetadata(root, wanted, !insecure);
    return true;
  } catch (error) {
    // Whatever failed: what counts is whether the repository is there.
    const existing = readMetadata(root);
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
