import { findImage, inspectImage } from '../../index.js';
import type { Context } from '../context/context.js';
import { withReadableRepository } from '../context/open-repository.js';
import { checkReference } from './oci-reference.js';

export interface OciInspectOptions {
  readonly manifest?: boolean;
  readonly config?: boolean;
}

export async function ociInspect(context: Context, name: string, options: OciInspectOptions): Promise<void> {
  checkReference('<IMAGE>', name);
  await withReadableRepository(context, async (repo) => {
    const image = await findImage(repo, name);
    if (options.manifest) return await writeDocument(context, image.readManifestJson(repo));
    if (options.config) return await writeDocument(context, image.readConfigJson(repo));
    const inspection = await inspectImage(repo, image);
    const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    await context.output.json({
      manifest: utf8.decode(inspection.manifest),
      config: utf8.decode(inspection.config),
      referrers: inspection.referrers,
      composefs_erofs: inspection.composefsErofs ?? null,
      composefs_boot_erofs: inspection.composefsBootErofs ?? null,
      ...(image.isContainerImage() ? {} : { artifact_type: image.artifactType() }),
    });
  });
}

/** The stored bytes as they are, and a newline. */
async function writeDocument(context: Context, bytes: Buffer): Promise<void> {
  await context.output.bytes([bytes, Buffer.from('\n')]);
}
