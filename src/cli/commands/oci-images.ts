import { digestEncoded, listImages } from '../../index.js';
import type { Context } from '../context/context.js';
import { withReadableRepository } from '../context/open-repository.js';
import { renderTable, SHORT_DIGEST } from '../terminal/table.js';
import { warn } from '../terminal/warning.js';

export interface OciImagesOptions {
  readonly json?: boolean;
  readonly store?: 'containers-storage';
}

export async function ociImages(context: Context, options: OciImagesOptions): Promise<void> {
  if (options.store !== undefined) {
    const { storedImages } = await import('./stored-images.js');
    return await storedImages(context, options.json === true);
  }
  await withReadableRepository(context, async (repo) => {
    const images = await listImages(repo, { onWarning: warn });
    if (options.json) {
      const entries = images.map((image) => ({
        name: image.name,
        manifest_digest: image.manifestDigest,
        is_container: image.isContainer,
        architecture: image.architecture,
        os: image.os,
        created: image.created,
        layer_count: image.layerCount,
        referrer_count: image.referrerCount,
      }));
      return await context.output.json({ images: entries });
    }
    if (images.length === 0) return await context.output.line('No images found');
    const rows = images.map((image) => [
      image.name,
      digestEncoded(image.manifestDigest).slice(0, SHORT_DIGEST),
      image.architecture === '' ? 'artifact' : image.architecture,
      String(image.layerCount),
      String(image.referrerCount),
    ]);
    await context.output.lines(renderTable(['NAME', 'DIGEST', 'ARCH', 'LAYERS', 'REFS'], rows));
  });
}
