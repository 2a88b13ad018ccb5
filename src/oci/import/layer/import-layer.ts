import type { ObjectId } from '../../../composefs/fsverity/object-id.js';
import { withDeferredNames } from '../../../composefs/repository/objects/deferred-names.js';
import type { Repository } from '../../../composefs/repository/repository.js';
import type { ProgressReporter } from '../../../progress.js';
import type { OciDigest } from '../../model/digest.js';
import { type LayerLimits, tarLimits } from '../../model/layer-limits.js';
import { validateLayerName } from '../../model/tag.js';
import { layerContentId } from '../../store/identifiers.js';
import { findLayer, layerNames } from './find-layer.js';
import { emptyStats, type ImportStats } from './import-stats.js';
import { storeTar } from './store-tar.js';

/** How a layer is imported. */
export interface ImportLayerOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told how much of the tar has been read. */
  readonly progress?: ProgressReporter | undefined;
  /** How large the layer may be. */
  readonly layerLimits?: LayerLimits | undefined;
}

/**
 * Stores one uncompressed tar as a layer, unless the layer is there already and whole: then the tar is not read.
 *
 * @param name - a stream ref to point at the layer, such as `base/2026`; keeps it alive.
 * @throws ComposefsError `DIFF_ID_MISMATCH` if the tar is not that of `diffId`; nothing is registered then.
 */
export async function importLayer(
  repo: Repository,
  diffId: OciDigest,
  name: string | undefined,
  tar: AsyncIterable<Buffer>,
  options: ImportLayerOptions = {},
): Promise<{ verity: ObjectId; stats: ImportStats }> {
  repo.ensureWritable();
  if (name !== undefined) validateLayerName(name);
  return await repo.hold(async () => {
    const existing = await findLayer(repo, diffId, options);
    let stored = existing === undefined ? undefined : { id: existing, stats: emptyStats() };
    if (stored === undefined) {
      const importOptions = { signal: options.signal, limits: tarLimits(options.layerLimits) };
      const layer = await withDeferredNames(repo.objects.options, (objects) =>
        storeTar(objects, diffId, counted(tar, diffId, options.progress), importOptions),
      );
      await repo.registerStreams(await layerNames(repo, layer, diffId));
      stored = layer;
    }
    if (name !== undefined) repo.nameStream(layerContentId(diffId), name);
    await repo.syncNames();
    return { verity: stored.id, stats: stored.stats };
  });
}

async function* counted(
  tar: AsyncIterable<Buffer>,
  id: OciDigest,
  progress: ProgressReporter | undefined,
): AsyncGenerator<Buffer> {
  let fetched = 0;
  progress?.report({ type: 'started', id, unit: 'bytes' });
  for await (const chunk of tar) {
    yield chunk;
    fetched += chunk.length;
    progress?.report({ type: 'progress', id, fetched });
  }
  progress?.report({ type: 'done', id, transferred: fetched });
}
