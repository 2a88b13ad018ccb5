import { ObjectStore, type ObjectStoreOptions } from '../../composefs/repository/objects/object-store.js';
import { type ObjectBatch, ObjectBatches, type SharedObjectBatches } from './object-batches.js';

/** Layers whose objects this thread is to help store, until they are all done. */
export interface HelpStoringInput {
  readonly store: ObjectStoreOptions;
  readonly layers: readonly SharedObjectBatches[];
}

/** How long a bell is waited for before the other layers' are looked at. */
const WAIT_MS = 20;

/** Takes batches of objects off the threads that import layers. */
export async function helpStoring(input: HelpStoringInput): Promise<void> {
  const objects = new ObjectStore(input.store);
  objects.deferNames();
  let layers = input.layers.map((layer) => new ObjectBatches(layer));
  for (const layer of layers) layer.addHelper(1);
  try {
    while (layers.length > 0) {
      const [first] = layers;
      const rings = first?.rings ?? 0;
      const batch = claimFirst(layers);
      if (batch !== undefined) storeBatch(batch, objects);
      else first?.awaitRing(rings, WAIT_MS);
      layers = layers.filter((layer) => !layer.isClosed);
    }
  } finally {
    for (const layer of layers) layer.addHelper(-1);
  }
}

function claimFirst(layers: readonly ObjectBatches[]): ObjectBatch | undefined {
  for (const layer of layers) {
    const batch = layer.claim();
    if (batch !== undefined) return batch;
  }
  return undefined;
}

/** What cannot be stored here goes back: the layer's own thread tries as well, and reports why it fails. */
function storeBatch(batch: ObjectBatch, objects: ObjectStore): void {
  try {
    const results = batch.storeObjects(objects);
    objects.nameObjects();
    batch.giveResults(results);
  } catch (error) {
    objects.dropUnnamed();
    batch.giveBack();
    throw error;
  }
}
