import { closeSync } from 'node:fs';
import { LayerDirectory } from './layer-directory.js';
import type { LayerRecord } from './records.js';
import type { ContainerStore } from './store.js';

/** A layer in a store. */
export interface FoundLayer {
  readonly store: ContainerStore;
  readonly record: LayerRecord;
}

/**
 * Where the layers with some diff_ids are, in whichever store (spec 60 §6). Of several with one diff_id that one which is
 * completely there, of an earlier store, and the last one of it: all hold the same.
 *
 * @param diffIds digests as text.
 * @returns for each what was found; nothing for a layer that is in no store.
 */
export function findLayers(stores: readonly ContainerStore[], diffIds: readonly string[]): Map<string, FoundLayer> {
  const wanted = new Set(diffIds);
  const found = new Map<string, FoundLayer>();
  for (const isWanted of [isComplete, () => true]) {
    for (const store of stores) {
      for (const record of store.layers().reverse()) {
        const { diffDigest, isIncomplete } = record;
        if (diffDigest === undefined || isIncomplete || !wanted.has(diffDigest) || found.has(diffDigest)) continue;
        if (isWanted(store, record)) found.set(diffDigest, { store, record });
      }
    }
    if (found.size === wanted.size) break;
  }
  return found;
}

/** Whether a layer has both its files and what its tar is rebuilt with. */
function isComplete(store: ContainerStore, { id }: LayerRecord): boolean {
  try {
    new LayerDirectory(store, id).close();
    const fd = store.openTarSplit(id);
    if (fd !== undefined) closeSync(fd);
    return fd !== undefined;
  } catch {
    return false;
  }
}
