import { runInTurns, type Steps } from '../threads/turns.js';
import { openStores } from './open-stores.js';
import type { LayerRecord } from './records.js';
import type { ContainerStore, StoreDriver } from './store.js';
import type { StoreChoice } from './store-locations.js';

/** An image in a store of podman, buildah or CRI-O. */
export interface ListedImage {
  /** The directory of the store. */
  readonly store: string;
  readonly driver: StoreDriver;
  /** Normally the digest of the config, 64 hex digits. */
  readonly id: string;
  readonly names: readonly string[];
  /** As the store has it; not checked. */
  readonly manifestDigest: string | undefined;
  /** RFC 3339, as the config has it. */
  readonly created: string | undefined;
  /** How many layers lie above each other. */
  readonly layerCount: number;
  /** Bytes of their tars; undefined if the store does not know. */
  readonly size: number | undefined;
}

/** What {@link listStoredImages} has found. */
export interface StoredImages {
  readonly images: readonly ListedImage[];
  /** Stores that cannot be read, and why. */
  readonly failures: readonly { readonly store: string; readonly error: unknown }[];
}

/** containers/storage makes no more layers of one image; what `parent` says may lead in a circle. */
const MAX_LAYERS = 500;

/**
 * The images in the stores of container engines, each of which can be pulled as `containers-storage:NAME`.
 *
 * @param choice by default the stores that podman would use.
 * @throws StoreError `STORE_NOT_FOUND`, `STORE_DRIVER_UNSUPPORTED`, `INVALID_STORE`, `INVALID_STORAGE_CONF`
 */
export async function listStoredImages(
  choice: StoreChoice = {},
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<StoredImages> {
  return await runInTurns(listSteps(choice), signal);
}

/** Each file of a store is a step: one of a thousand layers takes 5 to 15 ms. */
function* listSteps(choice: StoreChoice): Steps<StoredImages> {
  const { stores, close } = openStores(choice);
  const images: ListedImage[] = [];
  const failures: { store: string; error: unknown }[] = [];
  try {
    for (const store of stores) {
      try {
        images.push(...(yield* imagesOf(store)));
      } catch (error) {
        failures.push({ store: store.root, error });
      }
    }
  } finally {
    close();
  }
  return { images, failures };
}

/** In the order in which the store has them. @throws StoreError `INVALID_STORE` */
function* imagesOf(store: ContainerStore): Steps<ListedImage[]> {
  yield;
  const layers = new Map(store.layers().map((layer) => [layer.id, layer]));
  yield;
  return store.images().map(({ id, names, digest, created, topLayer }) => {
    const chain = chainOf(topLayer, layers);
    const sizes = chain.map(({ diffSize }) => diffSize);
    const size = sizes.every((each) => each !== undefined)
      ? sizes.reduce((sum: number, each) => sum + (each ?? 0), 0)
      : undefined;
    const { root, driver } = store;
    return { store: root, driver, id, names, manifestDigest: digest, created, layerCount: chain.length, size };
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
