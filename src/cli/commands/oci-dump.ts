import { writeDumpfile } from '../../composefs/dumpfile/writer.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';
import type { OciFileSystemOptions } from '../context/options.js';
import { withoutEnds } from '../terminal/output.js';
import { imageFilesystem } from './oci-filesystem.js';
import { parseOciReference } from './oci-reference.js';

export async function ociDump(
  context: Context,
  name: string,
  configVerity: string | undefined,
  options: OciFileSystemOptions,
): Promise<void> {
  const image = parseOciReference('<CONFIG_NAME>', name);
  await withRepository(context, async (repo) => {
    await context.output.lines(withoutEnds(writeDumpfile(imageFilesystem(repo, image, configVerity, options))));
  });
}
