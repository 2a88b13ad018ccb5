import type { FormatVersion } from '../composefs/erofs/index.js';
import { formatAlgorithm, type HashAlgorithm } from '../composefs/fsverity/algorithm.js';
import {
  inferRepoAlgorithm,
  Repository,
  readRepoAlgorithm,
  systemPath,
  userPath,
} from '../composefs/repository/index.js';
import { ComposefsError, withContext } from '../errors.js';
import type { Context } from './context.js';
import type { GlobalOptions } from './options.js';

/** Where the repository is: `--repo`, `--system`, `--user`, else the system's for root and the user's for others. */
export function repositoryPath(globals: GlobalOptions): string {
  if (globals.repo !== undefined) return globals.repo;
  if (globals.system === true) return systemPath();
  if (globals.user === true) return userPath();
  return process.getuid?.() === 0 ? systemPath() : userPath();
}

/** Opens the repository that the global options name, runs `action` with it and closes it (spec 70 B2 to B4). */
export async function withRepository<T>(context: Context, action: (repo: Repository) => T | Promise<T>): Promise<T> {
  const repo = await openRepository(context.globals);
  try {
    return await action(repo);
  } finally {
    repo.close();
  }
}

async function openRepository(globals: GlobalOptions): Promise<Repository> {
  if (globals.noRepo === true) {
    throw new ComposefsError('NO_REPO', '--no-repo is only supported for compute-id and create-dumpfile');
  }
  const path = repositoryPath(globals);
  const algorithm = resolveAlgorithm(path, globals);
  const repo = await open(path, algorithm, globals);
  try {
    if (globals.insecure === true) repo.setInsecure();
    if (globals.requireVerity === true) repo.requireVerity();
    if (globals.erofsVersion !== undefined) repo.setErofsVersion(globals.erofsVersion);
    return repo;
  } catch (error) {
    repo.close();
    throw error;
  }
}

async function open(path: string, algorithm: HashAlgorithm, globals: GlobalOptions): Promise<Repository> {
  const options = { algorithm, insecure: globals.insecure };
  if (globals.noUpgrade === true) return await Repository.open(path, options);
  return (await Repository.openUpgrade(path, options)).repo;
}

/** Spec 70 B3. */
function resolveAlgorithm(path: string, globals: GlobalOptions): HashAlgorithm {
  const stored = withContext(`opening repository ${path}`, () => readRepoAlgorithm(path));
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
  return withContext(`no meta.json in ${path}; tried to infer algorithm from objects`, () => inferRepoAlgorithm(path));
}

/** What commands that store nothing go by (spec 70 B2): a repository only lends its digest type. */
export function settingsWithoutRepository(globals: GlobalOptions): {
  algorithm: HashAlgorithm;
  version: FormatVersion;
} {
  return { algorithm: algorithmWithoutRepository(globals), version: globals.erofsVersion ?? 1 };
}

function algorithmWithoutRepository(globals: GlobalOptions): HashAlgorithm {
  const fallback = globals.hash ?? 'sha512';
  if (globals.noRepo === true) return fallback;
  try {
    return resolveAlgorithm(repositoryPath(globals), globals);
  } catch {
    return fallback;
  }
}
