import { closeSync, constants, existsSync, openSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import { RepositoryLock } from './lock.js';
import { checkCompatible, type RepositoryAccess, type RepositoryMetadata } from './metadata.js';
import { readMetadata, readMetadataFile, type StoredMetadata } from './metadata-file.js';
import { RepositoryOpenError } from './open-error.js';

export interface OpenOptions {
  /** Refuse a repository of another algorithm. Default: take what the repository has. */
  readonly algorithm?: HashAlgorithm | undefined;
  /** Do without fs-verity even if the repository was made with it (spec 10 §9). */
  readonly insecure?: boolean | undefined;
  /** Stops waiting for a process that collects garbage. */
  readonly signal?: AbortSignal | undefined;
}

/** A repository directory, open and locked. */
export interface OpenDirectory {
  /** Absolute. */
  readonly path: string;
  readonly fd: number;
  readonly lock: RepositoryLock;
  readonly metadata: RepositoryMetadata;
  readonly access: RepositoryAccess;
  readonly insecure: boolean;
}

/**
 * Opens the directory, waits for the shared lock, and reads and checks `meta.json` (spec 10 §8.4). Makes nothing.
 *
 * @throws RepositoryOpenError, or a system error unchanged.
 */
export async function openDirectory(path: string, options: OpenOptions = {}): Promise<OpenDirectory> {
  const absolute = resolve(path);
  // Read-only rather than O_PATH: only an open file can be locked.
  const fd = openSync(absolute, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const lock = await RepositoryLock.acquire(fd, options.signal);
    const check = (metadata: RepositoryMetadata): RepositoryAccess => checkCompatible(metadata, options.algorithm);
    const { metadata, hasVerity } = readStored(absolute, check, options.insecure ?? false);
    return { path: absolute, fd, lock, metadata, access: check(metadata), insecure: !hasVerity };
  } catch (error) {
    // Ends the lock as well.
    closeSync(fd);
    throw error;
  }
}

function readStored(path: string, check: (metadata: RepositoryMetadata) => void, insecure: boolean): StoredMetadata {
  if (!insecure) return readMetadataFile(path, check) ?? missing(path);
  const metadata = readMetadata(path) ?? missing(path);
  check(metadata);
  return { metadata, hasVerity: false };
}

function missing(path: string): never {
  if (existsSync(join(path, 'objects'))) {
    throw new RepositoryOpenError(
      'old-format-repository',
      'meta.json not found; this appears to be an old-format repository — use Repository::open_upgrade() or `cfsctl init` to migrate',
    );
  }
  throw new RepositoryOpenError(
    'metadata-missing',
    'meta.json not found; this repository must be initialized with `cfsctl init`',
  );
}
