import { formatSize } from '../../bytes/format-size.js';
import { fullMessage } from '../../errors.js';
import { type ListedImage, listStoredImages, openStores } from '../../index.js';
import type { Context } from '../context/context.js';
import { renderTable, SHORT_DIGEST } from '../terminal/table.js';
import { warn } from '../terminal/warning.js';

/** Lists the images in the stores of container engines, each by the reference by which it can be pulled. */
export async function storedImages(context: Context, asJson: boolean): Promise<void> {
  const { stores, close } = openStores();
  let images: ListedImage[];
  try {
    images = stores.flatMap((store) => {
      try {
        return listStoredImages(store);
      } catch (error) {
        warn(`${store.root}: ${fullMessage(error)}`);
        return [];
      }
    });
  } finally {
    close();
  }
  if (asJson) {
    const entries = images.map(({ store, record, layerCount, size }) => ({
      id: record.id,
      names: record.names,
      manifest_digest: record.digest ?? null,
      created: record.created ?? null,
      layer_count: layerCount,
      size: size ?? null,
      store: store.root,
      driver: store.driver,
    }));
    return await context.output.json({ images: entries });
  }
  if (images.length === 0) return await context.output.line('No images found');
  const rows = images.flatMap(({ store, record, layerCount, size }) => {
    const names = record.names.length === 0 ? ['<none>'] : record.names;
    const shown = size === undefined ? '?' : formatSize(size);
    return names.map((name) => [name, record.id.slice(0, SHORT_DIGEST), String(layerCount), shown, store.root]);
  });
  await context.output.lines(renderTable(['NAME', 'ID', 'LAYERS', 'SIZE', 'STORE'], rows));
}
