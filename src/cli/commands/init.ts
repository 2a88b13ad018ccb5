import { lstatSync, mkdirSync, rmdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import {
  formatAlgorithm,
  type HashAlgorithm,
  Repository,
  type RepositoryConfig,
  resetMetadata,
} from '../../composefs/index.js';
import { errorCode, withContextAsync } from '../../errors.js';
import type { Context } from '../context/context.js';
import { repositoryPath } from '../context/open-repository.js';

export interface InitOptions {
  readonly algorithm: HashAlgorithm;
  readonly insecure?: boolean;
  readonly resetMetadata?: boolean;
  readonly ensure?: boolean;
  readonly erofsVersion?: 0 | 1 | 2;
  readonly json?: boolean;
}

/** Spec 70 B5. */
export async function init(context: Context, path: string | undefined, options: InitOptions): Promise<void> {
  const location = path ?? repositoryPath(context.globals);
  const config: RepositoryConfig = {
    algorithm: options.algorithm,
    erofsFormats: { default: options.erofsVersion ?? context.globals.erofsVersion ?? 1, extra: [] },
    allowForeignOwner: context.globals.allowForeignOwner,
    insecure: options.insecure === true || context.globals.insecure === true,
  };
  if (options.resetMetadata) resetMetadata(location, config);
  const missing = missingDirectories(location);
  mkdirSync(dirname(location), { recursive: true });
  try {
    const made = await withContextAsync(`Initializing repository at ${location}`, () =>
      options.ensure ? ensure(location, config) : create(location, config),
    );
    if (options.json) await context.output.json(describe(location, made));
    else await context.output.lines(textOf(location, made));
  } catch (error) {
    removeEmpty(missing);
    throw error;
  }
}

/** The directories on the way to a path that are not there, the last one first. */
function missingDirectories(path: string): string[] {
  const missing: string[] = [];
  for (let each = resolve(path); lstatSync(each, { throwIfNoEntry: false }) === undefined; each = dirname(each)) {
    missing.push(each);
  }
  return missing;
}

/** Up to the first one that something is in. */
function removeEmpty(directories: readonly string[]): void {
  for (const directory of directories) {
    try {
      rmdirSync(directory);
    } catch (error) {
      // It may not have been made.
      if (errorCode(error) !== 'ENOENT') return;
    }
  }
}

/** What became of the repository, which is closed. */
interface Made {
  readonly status: 'created' | 'upgraded' | 'opened' | 'existed';
  readonly repo: Repository;
}

async function create(path: string, config: RepositoryConfig): Promise<Made> {
  const { repo, created } = await Repository.init(path, config);
  repo.close();
  return { repo, status: created ? 'created' : 'existed' };
}

async function ensure(path: string, config: RepositoryConfig): Promise<Made> {
  const made = await Repository.ensure(path, config);
  made.repo.close();
  return made;
}

function textOf(path: string, { status, repo }: Made): string[] {
  switch (status) {
    case 'created':
      return [
        `Initialized composefs repository at ${path}`,
        `  algorithm: ${formatAlgorithm(repo.algorithm)}`,
        `  verity:    ${repo.insecure ? 'not required (insecure)' : 'required'}`,
      ];
    case 'upgraded':
      return [`Upgraded legacy repository at ${path}`];
    case 'opened':
      return [`Repository already initialized at ${path} (existing configuration preserved)`];
    case 'existed':
      return [`Repository already initialized at ${path}`];
  }
}

function describe(path: string, { status, repo }: Made): object {
  return {
    path,
    created: status === 'created',
    algorithm: formatAlgorithm(repo.algorithm),
    verity_required: !repo.insecure,
  };
}
