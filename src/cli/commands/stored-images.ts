import { formatSize } from '../../bytes/format-size.js';
import { fullMessage } from '../../errors.js';
import { listStoredImages } from '../../index.js';
import type { Context } from '../context/context.js';
import { renderTable, SHORT_DIGEST } from '../terminal/table.js';
import { warn } from '../terminal/warning.js';

/** Lists the images in the stores of container engines, each by the reference by which it can be pulled. */
export async function storedImages(context: Context, asJson: boolean): Promise<void> {
  const { images, failures } = await listStoredImages();
  for (const { store, error } of failures) warn(`${store}: ${fullMessage(error)}`);
  if (asJson) {
    const entries = images.map(({ id, names, manifestDigest, created, layerCount, size, store, driver }) => ({
      id,
      names,
      manifest_digest: manifestDigest ?? null,
      created: created ?? null,
      layer_count: layerCount,
      size: size ?? null,
      store,
      driver,
    }));
    return await context.output.json({ images: entries });
  }
  if (images.length === 0) return await context.output.line('No images found');
  const rows = images.flatMap(({ store, id, names, layerCount, size }) => {
    const shown = size === undefined ? '?' : formatSize(size);
    return (names.length === 0 ? ['<none>'] : names).map((name) => [
      name,
      id.slice(0, SHORT_DIGEST),
      String(layerCount),
      shown,
      store,
    ]);
  });
  await context.output.lines(renderTable(['NAME', 'ID', 'LAYERS', 'SIZE', 'STORE'], rows));
}
