import type { ImageRecord, LayerRecord } from './records.js';
import type { ContainerStore } from './store.js';

/** An image of a store, for listings. */
export interface ListedImage {
  readonly store: ContainerStore;
  readonly record: ImageRecord;
  /** How many layers lie above each other. */
  readonly layerCount: number;
  /** Bytes of their tars; undefined if the store does not know. */
  readonly size: number | undefined;
}

/** containers/storage makes no more layers of one image; what `parent` says may lead in a circle. */
const MAX_LAYERS = 500;

/** The images of a store in the order in which it has them. @throws StoreError `INVALID_STORE` */
export function listStoredImages(store: ContainerStore): ListedImage[] {
  const layers = new Map(store.layers().map((layer) => [layer.id, layer]));
  return store.images().map((record) => {
    const chain = chainOf(record.topLayer, layers);
    const sizes = chain.map(({ diffSize }) => diffSize);
    const size = sizes.every((each) => each !== undefined)
      ? sizes.reduce((sum: number, each) => sum + (each ?? 0), 0)
      : undefined;
    return { store, record, layerCount: chain.length, size };
  });
}

function chainOf(top: string | undefined, layers: ReadonlyMap<string, LayerRecord>): LayerRecord[] {
  const chain: LayerRecord[] = [];
  for (let id = top; id !== undefined && chain.length < MAX_LAYERS; ) {
    const layer = layers.get(id);
    if (layer === undefined) break;
    chain.push(layer);
    id = layer.parent;
  }
  return chain;
}
