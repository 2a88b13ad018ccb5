import { resolve } from 'node:path';
import type { ProgressReporter } from '../../progress.js';
import type { HashAlgorithm } from '../fsverity/algorithm.js';
import { RepositoryOpenError } from './directory/open-error.js';
import { RepositoryRoot } from './directory/root.js';
import { RepositoryLock } from './lock/lock.js';
import { checkCompatible, type RepositoryAccess, type RepositoryMetadata } from './metadata/metadata.js';
import { readMetadata, readMetadataFile, type StoredMetadata } from './metadata/metadata-file.js';
import { OBJECTS } from './objects/object-directory.js';

/** How a repository is opened. */
export interface OpenOptions {
  /** Refuse a repository of another algorithm. Default: take what the repository has. */
  readonly algorithm?: HashAlgorithm | undefined;
  /** Do without fs-verity even if the repository was made with it (spec 10 §9). */
  readonly insecure?: boolean | undefined;
  /** As root, write also where the directory belongs to another user. Default false. */
  readonly allowForeignOwner?: boolean | undefined;
  /** Stops waiting for the lock. */
  readonly signal?: AbortSignal | undefined;
  /** Gets a warning that says who has the lock, if that takes longer than a second. */
  readonly progress?: ProgressReporter | undefined;
}

/** A repository directory, open and locked. */
export interface OpenDirectory {
  readonly root: RepositoryRoot;
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
  const lock = new RepositoryLock();
  const root = RepositoryRoot.open(resolve(path), options, () => lock.isInside);
  try {
    await lock.acquire(root, options);
    const check = (metadata: RepositoryMetadata): RepositoryAccess => checkCompatible(metadata, options.algorithm);
    const { metadata, hasVerity } = readStored(root, check, options.insecure ?? false);
    return { root, lock, metadata, access: check(metadata), insecure: !hasVerity };
  } catch (error) {
    // Ends the lock as well.
    root.close();
    throw error;
  }
}

function readStored(
  root: RepositoryRoot,
  check: (metadata: RepositoryMetadata) => void,
  insecure: boolean,
): StoredMetadata {
  if (!insecure) return readMetadataFile(root, check) ?? missing(root);
  const metadata = readMetadata(root) ?? missing(root);
  check(metadata);
  return { metadata, hasVerity: false };
}

function missing(root: RepositoryRoot): never {
  if (root.lstat(OBJECTS)?.isDirectory() === true) {
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
