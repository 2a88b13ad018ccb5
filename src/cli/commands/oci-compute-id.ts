import { computeImageId } from '../../composefs/repository/index.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';
import type { OciFileSystemOptions } from '../context/options.js';
import { imageFilesystem } from './oci-filesystem.js';
import { parseOciReference } from './oci-reference.js';

export async function ociComputeId(
  context: Context,
  name: string,
  configVerity: string | undefined,
  options: OciFileSystemOptions,
): Promise<void> {
  const image = parseOciReference('<CONFIG_NAME>', name);
  await withRepository(context, async (repo) => {
    const root = imageFilesystem(repo, image, configVerity, options);
    await context.output.line(computeImageId(root, repo.erofsVersion, repo.algorithm));
  });
}
