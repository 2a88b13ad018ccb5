import { untagImage } from '../../oci/store/tags.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';

export async function ociUntag(context: Context, name: string): Promise<void> {
  await withRepository(context, async (repo) => {
    untagImage(repo, name);
    await context.output.line(`Removed tag ${name}`);
  });
}
