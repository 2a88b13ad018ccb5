import { transformForBoot } from '../../boot/index.js';
import {
  computeImageId,
  type Directory,
  parseObjectId,
  type Repository,
  writeDumpfile,
} from '../../composefs/index.js';
import { createFilesystem, type FilesystemOptions, OciImage } from '../../index.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';
import type { OciFileSystemOptions } from '../context/options.js';
import { withoutEnds } from '../terminal/output.js';
import { warningReporter } from '../terminal/warning.js';
import { type OciReference, parseOciReference } from './oci-reference.js';

/**
 * The file system of a stored image.
 *
 * @param configVerity hex; with it the config of a digest reference is trusted, and its layers are not hashed.
 */
async function imageFilesystem(
  repo: Repository,
  image: OciReference,
  configVerity: string | undefined,
  options: OciFileSystemOptions,
): Promise<Directory> {
  const { xattrs, layerRules } = options;
  const how = { xattrs, layerRules, progress: warningReporter };
  const root = await plainFilesystem(repo, image, configVerity, how);
  if (options.bootable === true) transformForBoot(root, repo.objects);
  return root;
}

function plainFilesystem(
  repo: Repository,
  image: OciReference,
  configVerity: string | undefined,
  how: FilesystemOptions,
): Promise<Directory> {
  if (image.kind === 'tag') {
    const opened = OciImage.openRef(repo, image.tag);
    return createFilesystem(repo, opened.configDigest, { ...how, configVerity: opened.configVerity });
  }
  const verity = configVerity === undefined ? undefined : parseObjectId(repo.algorithm, configVerity);
  return createFilesystem(repo, image.digest, { ...how, configVerity: verity });
}

export async function ociComputeId(
  context: Context,
  name: string,
  configVerity: string | undefined,
  options: OciFileSystemOptions,
): Promise<void> {
  await withImageTree(context, name, configVerity, options, async (root, repo) =>
    context.output.line(await computeImageId(root, repo.erofsVersion, repo.algorithm)),
  );
}

export async function ociDump(
  context: Context,
  name: string,
  configVerity: string | undefined,
  options: OciFileSystemOptions,
): Promise<void> {
  await withImageTree(context, name, configVerity, options, (root) =>
    context.output.lines(withoutEnds(writeDumpfile(root))),
  );
}

async function withImageTree(
  context: Context,
  name: string,
  configVerity: string | undefined,
  options: OciFileSystemOptions,
  action: (root: Directory, repo: Repository) => Promise<void>,
): Promise<void> {
  const image = parseOciReference('<CONFIG_NAME>', name);
  await withRepository(context, async (repo) =>
    action(await imageFilesystem(repo, image, configVerity, options), repo),
  );
}
