import {
  computeImageId,
  type Directory,
  dumpfilePieces,
  formatAlgorithm,
  type ReadableRepository,
} from '../../composefs/index.js';
import { createFilesystem } from '../../index.js';
import type { Context } from '../context/context.js';
import { withReadableRepository } from '../context/open-repository.js';
import type { OciFileSystemOptions } from '../context/options.js';
import { withDelayedProgress } from '../progress/delayed.js';
import { checkReference, findConfigOf } from './oci-reference.js';
import { notBootable } from './repair-hint.js';

/**
 * The file system of a stored image.
 *
 * @param configVerity hex; with it a config that is named by a digest is trusted, and its layers are not hashed.
 */
async function imageFilesystem(
  repo: ReadableRepository,
  name: string,
  configVerity: string | undefined,
  options: OciFileSystemOptions,
): Promise<Directory> {
  const { xattrs, layerRules } = options;
  const { digest, configVerity: verity } = await findConfigOf(repo, name, configVerity);
  const root = await withDelayedProgress((running) =>
    createFilesystem(repo, digest, { xattrs, layerRules, configVerity: verity, ...running }),
  );
  if (options.bootable === true) {
    const { transformForBoot } = await import('../../boot/index.js');
    try {
      transformForBoot(root, repo.objects);
    } catch (error) {
      notBootable(name)(error);
    }
  }
  return root;
}

export interface OciComputeIdOptions extends OciFileSystemOptions {
  readonly json?: boolean;
}

export async function ociComputeId(
  context: Context,
  name: string,
  configVerity: string | undefined,
  options: OciComputeIdOptions,
): Promise<void> {
  await withImageTree(context, name, configVerity, options, async (root, repo) => {
    const id = await computeImageId(root, repo.erofsVersion, repo.algorithm);
    if (options.json) await context.output.json({ id, algorithm: formatAlgorithm(repo.algorithm) });
    else await context.output.line(id);
  });
}

export async function ociDump(
  context: Context,
  name: string,
  configVerity: string | undefined,
  options: OciFileSystemOptions,
): Promise<void> {
  await withImageTree(context, name, configVerity, options, (root) => context.output.text(dumpfilePieces(root)));
}

async function withImageTree(
  context: Context,
  name: string,
  configVerity: string | undefined,
  options: OciFileSystemOptions,
  action: (root: Directory, repo: ReadableRepository) => Promise<void>,
): Promise<void> {
  checkReference('<CONFIG_NAME>', name);
  await withReadableRepository(context, async (repo) =>
    action(await imageFilesystem(repo, name, configVerity, options), repo),
  );
}
