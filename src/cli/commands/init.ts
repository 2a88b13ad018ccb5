import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  formatAlgorithm,
  type HashAlgorithm,
  Repository,
  type RepositoryConfig,
  resetMetadata,
} from '../../composefs/index.js';
import { withContextAsync } from '../../errors.js';
import type { Context } from '../context/context.js';
import { repositoryPath } from '../context/open-repository.js';

export interface InitOptions {
  readonly algorithm: HashAlgorithm;
  readonly insecure?: boolean;
  readonly resetMetadata?: boolean;
  readonly ensure?: boolean;
  readonly erofsVersion?: 0 | 1 | 2;
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
  mkdirSync(dirname(location), { recursive: true });
  const lines = await withContextAsync(`Initializing repository at ${location}`, () =>
    options.ensure ? ensure(location, config) : create(location, config),
  );
  await context.output.lines(lines);
}

async function create(path: string, config: RepositoryConfig): Promise<string[]> {
  const { repo, created } = await Repository.init(path, config);
  repo.close();
  return created ? createdText(path, repo) : [`Repository already initialized at ${path}`];
}

async function ensure(path: string, config: RepositoryConfig): Promise<string[]> {
  const { repo, status } = await Repository.ensure(path, config);
  repo.close();
  switch (status) {
    case 'created':
      return createdText(path, repo);
    case 'upgraded':
      return [`Upgraded legacy repository at ${path}`];
    case 'opened':
      return [`Repository already initialized at ${path} (existing configuration preserved)`];
  }
}

function createdText(path: string, repo: Repository): string[] {
  const verity = repo.insecure ? 'not required (insecure)' : 'required';
  return [
    `Initialized composefs repository at ${path}`,
    `  algorithm: ${formatAlgorithm(repo.algorithm)}`,
    `  verity:    ${verity}`,
  ];
}
