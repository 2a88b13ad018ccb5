import type { ObjectId } from '../composefs/fsverity/object-id.js';
import type { Repository } from '../composefs/repository/repository.js';
import { layerContentId } from './identifiers.js';
import { emptyStats, type ImportStats } from './import-stats.js';
import { importTar } from './layer/import-tar.js';
import type { OciDigest } from './model/digest.js';
import { validateLayerName } from './model/tag.js';

/**
 * Stores one uncompressed tar as a layer, unless the layer is there already: then the tar is not read.
 *
 * @param name - a stream ref to point at the layer, such as `base/2026`; keeps it alive.
 * @throws ComposefsError `DIFF_ID_MISMATCH` if the tar is not that of `diffId`; nothing is registered then.
 */
export async function importLayer(
  repo: Repository,
  diffId: OciDigest,
  name: string | undefined,
  tar: AsyncIterable<Buffer>,
  options: { signal?: AbortSignal } = {},
): Promise<{ verity: ObjectId; stats: ImportStats }> {
  repo.ensureWritable();
  if (name !== undefined) validateLayerName(name);
  const identifier = layerContentId(diffId);
  const existing = repo.hasStream(identifier);
  if (existing !== undefined) {
    if (name !== undefined) repo.nameStream(identifier, name);
    return { verity: existing, stats: emptyStats() };
  }
  return await repo.hold(async () => {
    const { id, stats } = await importTar(repo.objects, diffId, tar, options.signal);
    repo.registerStream(id, identifier, name);
    return { verity: id, stats };
  });
}
