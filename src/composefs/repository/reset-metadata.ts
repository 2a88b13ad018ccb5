import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { METADATA_FILENAME } from './metadata.js';

/**
 * Removes `streams/`, `images/` and `meta.json`, and keeps the objects (spec 10 §8.8). Takes no lock: nobody may have
 * the repository open. After a change of the algorithm the old objects have to be removed by hand.
 */
export function resetMetadata(path: string): void {
  for (const name of ['streams', 'images', METADATA_FILENAME]) {
    rmSync(join(path, name), { recursive: true, force: true });
  }
}
