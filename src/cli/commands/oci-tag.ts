import { parseOciDigest, tagImage, untagImage } from '../../index.js';
import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';
import { parseArgumentValue } from '../context/usage-error.js';

export async function ociTag(context: Context, digest: string, name: string): Promise<void> {
  const manifest = parseArgumentValue('<MANIFEST_DIGEST>', digest, parseOciDigest);
  await withRepository(context, async (repo) => {
    await tagImage(repo, manifest, name);
    await context.output.line(`Tagged ${manifest} as ${name}`);
  });
}

export async function ociUntag(context: Context, name: string): Promise<void> {
  await withRepository(context, async (repo) => {
    await untagImage(repo, name);
    await context.output.line(`Removed tag ${name}`);
  });
}
