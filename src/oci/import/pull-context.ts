import { availableParallelism } from 'node:os';
import type { Repository } from '../../composefs/repository/repository.js';
import { nullReporter, type ProgressReporter } from '../../progress.js';
import type { OciDigest } from '../model/digest.js';
import type { LayerLimits } from '../model/layer-limits.js';
import type { ImageSource } from '../sources/image-source.js';
import { OneAtATime } from './one-at-a-time.js';
import { PullNames } from './pull-names.js';
import type { PullOptions } from './pull-options.js';
import { type ImportPool, importPool } from './threads/import-pool.js';
import { NamespacePool } from './threads/namespace-pool.js';
import { OwnThreadPool } from './threads/own-thread-pool.js';

/** What the stages of one pull have in common. */
export interface PullContext {
  readonly repo: Repository;
  readonly source: ImageSource;
  readonly pool: ImportPool;
  /** To be told how many bytes of blobs are to be stored. Whether they are so few that this thread may store them itself. */
  readonly expectBytes: (bytes: number) => boolean;
  /** For files that belong to other ids than the user's. */
  readonly namespace: NamespacePool;
  readonly names: PullNames;
  readonly progress: ProgressReporter;
  readonly signal: AbortSignal | undefined;
  /** How large each layer may be. */
  readonly limits: LayerLimits | undefined;
  /** Whether blobs that were compressed are stored as well. */
  readonly keepBlobs: boolean;
  /** Called when the pull has given its names. */
  readonly releases: (() => void)[];
}

/** Threads start when there is work for them: how many layers are read at once is the source's business. */
const MAX_THREADS = 64;

/** Images that are being pulled. */
const pulls = new OneAtATime<unknown>();

/** Runs `action` when no other pull of this process is at work on that manifest in this repository. */
export function inTurn<T>({ repo, signal }: PullContext, manifest: OciDigest, action: () => Promise<T>): Promise<T> {
  return pulls.inTurn(repo, `manifest ${manifest}`, signal, action);
}

/**
 * Runs the stages of a pull. Nothing that is stored on the way may be collected by another call on this instance, and the
 * repository stays open until the last thread has ended. Layers that are complete keep their names, whatever happens.
 * What the pull has replaced is removed afterwards, where that can be done at once.
 */
export async function withPullContext<T>(
  repo: Repository,
  source: ImageSource,
  options: PullOptions,
  stages: (context: PullContext) => Promise<T>,
): Promise<T> {
  const { signal, progress = nullReporter, layerLimits: limits, keepBlobs = false, ownThread = false } = options;
  const names = new PullNames(repo);
  const result = await repo.hold(async () => {
    const processors = availableParallelism();
    const threads = importPool(
      options.concurrency ?? MAX_THREADS,
      ownThread ? Math.max(1, processors - 1) : processors,
    );
    const own = ownThread ? new OwnThreadPool(threads) : undefined;
    const pool = own ?? threads;
    const expectBytes = (bytes: number): boolean => own?.expect(bytes) ?? false;
    const namespace = new NamespacePool();
    const releases: (() => void)[] = [];
    try {
      const given = { repo, source, progress, signal, limits, keepBlobs };
      return await stages({ ...given, pool, expectBytes, namespace, names, releases });
    } finally {
      await Promise.all([pool.close(), namespace.close()]);
      await names.giveLayers();
      for (const release of releases) release();
    }
  });
  if (names.superseded.length > 0) await repo.removeSuperseded(names.superseded);
  return result;
}
