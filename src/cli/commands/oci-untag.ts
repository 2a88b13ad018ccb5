import { untagImage } from '../../oci/tags.js';
import type { Context } from '../context.js';
import { withRepository } from '../open-repository.js';

export async function ociUntag(context: Context, name: string): Promise<void> {
  await withRepository(context, async (repo) => {
    untagImage(repo, name);
    await context.output.line(`Removed tag ${name}`);
  });
}
