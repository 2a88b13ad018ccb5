import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import {
  DEFAULT_ALGORITHM,
  type FormatVersion,
  formatAlgorithm,
  type HashAlgorithm,
  inferRepoAlgorithm,
  type OpenOptions,
  ReadableRepository,
  type Repository,
  readRepoAlgorithm,
  systemPath,
  userPath,
} from '../../composefs/index.js';
import { RepositoryOpenError } from '../../error-classes.js';
import { ComposefsError, ContextError, errorCode } from '../../errors.js';
import { warningReporter } from '../terminal/warning.js';
import type { Context } from './context.js';
import type { GlobalOptions } from './options.js';

const NO_REPOSITORY_HINT =
  'make a repository there with `cfsctl init`, or name another one: --repo, --user, --system, COMPOSEFS_REPO';

/** Where the repository is: `--repo`, `--system`, `--user`, `COMPOSEFS_REPO`, else the system's for root, the user's for others. */
export function repositoryPath(globals: GlobalOptions): string {
  if (globals.repo !== undefined) return globals.repo;
  if (globals.system === true) return systemPath();
  if (globals.user === true) return userPath();
  const { COMPOSEFS_REPO: path = '' } = process.env;
  if (path !== '') return path;
  return process.getuid?.() === 0 ? systemPath() : userPath();
}

/** Opens the repository that the global options name, runs `action` with it and closes it (spec 70 B2 to B4). */
export async function withRepository<T>(context: Context, action: (repo: Repository) => T | Promise<T>): Promise<T> {
  const { Repository } = await import('../../composefs/repository/repository.js');
  return await withOpened(context, action, async (path, options) => {
    if (context.globals.noUpgrade === true) return await Repository.open(path, options);
    return (await Repository.openUpgrade(path, options)).repo;
  });
}

/** {@link withRepository} for what stores nothing: it starts faster. Only a repository of the old format is written to. */
export async function withReadableRepository<T>(
  context: Context,
  action: (repo: ReadableRepository) => T | Promise<T>,
): Promise<T> {
  return await withOpened(context, action, async (path, options) => {
    try {
      return await ReadableRepository.open(path, options);
    } catch (error) {
      const upgrade = error instanceof RepositoryOpenError && error.kind === 'old-format-repository';
      if (!upgrade || context.globals.noUpgrade === true) throw error;
    }
    const { Repository } = await import('../../composefs/repository/repository.js');
    return (await Repository.openUpgrade(path, options)).repo;
  });
}

type Open<R> = (path: string, options: OpenOptions) => Promise<R>;

async function withOpened<R extends ReadableRepository, T>(
  { globals }: Context,
  action: (repo: R) => T | Promise<T>,
  open: Open<R>,
): Promise<T> {
  if (globals.noRepo === true) {
    throw new ComposefsError('NO_REPO', '--no-repo is only supported for compute-id and create-dumpfile');
  }
  const path = repositoryPath(globals);
  const { insecure, allowForeignOwner } = globals;
  const algorithm = resolveAlgorithm(path, globals);
  const repo = await open(path, { algorithm, insecure, allowForeignOwner, progress: warningReporter });
  try {
    if (insecure === true) repo.setInsecure();
    if (globals.requireVerity === true) repo.requireVerity();
    if (globals.erofsVersion !== undefined) repo.setErofsVersion(globals.erofsVersion);
    return await action(repo);
  } finally {
    repo.close();
  }
}

/** Spec 70 B3. */
function resolveAlgorithm(path: string, globals: GlobalOptions): HashAlgorithm {
  const stored = withOpenHint(`opening repository ${path}`, path, () => readRepoAlgorithm(path));
  const algorithm = stored ?? inferAlgorithm(path, globals);
  if (globals.hash !== undefined && globals.hash !== algorithm) {
    const configured = formatAlgorithm(algorithm);
    throw new ComposefsError(
      'ALGORITHM_MISMATCH',
      `repository is configured for ${configured} (from meta.json) but --hash ${globals.hash} was specified`,
    );
  }
  return algorithm;
}

function inferAlgorithm(path: string, globals: GlobalOptions): HashAlgorithm {
  if (globals.noUpgrade === true) {
    throw new ComposefsError(
      'METADATA_MISSING',
      `meta.json not found in ${path}; this repository must be initialized with \`cfsctl init\``,
    );
  }
  const message = `no meta.json in ${path}; tried to infer algorithm from objects`;
  return withOpenHint(message, path, () => inferRepoAlgorithm(path));
}

/** Runs `action`, which opens a repository; an error gets a message before it, and says what the user can do. */
function withOpenHint<T>(message: string, path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new ContextError(message, error, openHint(errorCode(error), path));
  }
}

function openHint(code: string, path: string): string | undefined {
  switch (code) {
    case 'ENOENT':
      return NO_REPOSITORY_HINT;
    case 'ENOTDIR':
      return 'a repository is a directory: name another one with --repo, --user, --system or COMPOSEFS_REPO';
    case 'EACCES':
      return deniedHint(resolve(path));
    default:
      return undefined;
  }
}

/** The innermost directory on the way that can be looked at is the one that keeps this user out. */
function deniedHint(path: string): string {
  for (let place = path; ; place = dirname(place)) {
    try {
      const { uid } = statSync(place);
      const owner = uid === 0 ? 'root' : `user ${uid}`;
      return `${place} belongs to ${owner}: run the command as that user, or name another repository with --repo or --user`;
    } catch (error) {
      // The root directory can always be looked at.
      if (place === '/') throw error;
    }
  }
}

/** What commands that store nothing go by (spec 70 B2): a repository only lends its digest type. */
export function settingsWithoutRepository(globals: GlobalOptions): {
  algorithm: HashAlgorithm;
  version: FormatVersion;
} {
  return { algorithm: algorithmWithoutRepository(globals), version: globals.erofsVersion ?? 1 };
}

function algorithmWithoutRepository(globals: GlobalOptions): HashAlgorithm {
  const fallback = globals.hash ?? DEFAULT_ALGORITHM;
  if (globals.noRepo === true) return fallback;
  try {
    return resolveAlgorithm(repositoryPath(globals), globals);
  } catch {
    return fallback;
  }
}
