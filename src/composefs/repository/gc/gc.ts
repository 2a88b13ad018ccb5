import { rmSync } from 'node:fs';
import { nullReporter, type ProgressReporter } from '../../../progress.js';
import { runSteps, type Steps } from '../../../threads/turns.js';
import type { ObjectId } from '../../fsverity/object-id.js';
import { objectsForImage } from '../names/images.js';
import type { SyncingHost } from '../objects/host.js';
import { OBJECT_DIRECTORIES } from '../objects/object-directory.js';
import { type SweptFiles, sweepLeftovers, sweepPartialDownloads } from './gc-leftovers.js';
import { findLiveSteps, type LiveSet } from './gc-live.js';
import { entriesSince } from './gc-roots.js';
import { pruneLinks, sweepObjects } from './gc-sweep.js';

/** {@link garbageSteps}, {@link removeUnreachable} of some objects, or the objects of an image. Plain data. */
export type GcJob = GcRequest | { readonly only: readonly ObjectId[] } | { readonly objectsOf: string };

export type GcOutput = GcResult | readonly ObjectId[] | undefined;

export interface GcRequest {
  /** Names of entries in `images/` or `streams/` to keep besides what has a reference. */
  readonly additionalRoots: readonly string[];
  readonly dryRun: boolean;
  /**
   * Milliseconds: entries in `images/` and `streams/` that are younger stay, with all that they need, and so do younger
   * objects.
   */
  readonly keepNewerThan?: number | undefined;
}

/** Spec 10 §17. */
export interface GcResult {
  readonly objectsRemoved: number;
  /** Sum of the sizes of the removed objects. */
  readonly objectsBytes: number;
  /** Broken symlinks removed under `images/`, entries and references. */
  readonly imagesPruned: number;
  readonly streamsPruned: number;
  /**
   * Old files removed that are no objects: of writers that crashed, and parts of downloads that nobody went on with.
   * Absent if there are none.
   */
  readonly leftovers?: SweptFiles;
  /**
   * References to a stream or image whose object is gone, as paths in the repository. They were left alone, and keep
   * nothing alive. Absent if there are none.
   */
  readonly danglingRefs?: readonly string[];
}

/** Between two steps nothing is half done: the work can end there. */
export function* gcJobSteps(
  repository: SyncingHost,
  job: GcJob,
  progress: ProgressReporter = nullReporter,
): Steps<GcOutput> {
  if ('objectsOf' in job) return [...objectsForImage(repository, job.objectsOf)];
  if ('only' in job) return removeUnreachable(repository, new Set(job.only));
  return yield* garbageSteps(repository, job, progress);
}

/**
 * Deletes what nothing needs: the links to dead objects, then the objects. In this order, with a sync between the two,
 * no end at any moment leaves a link to something that is gone, which a later pull could take for stored. The caller
 * holds the exclusive lock, or for a dry run the shared one.
 *
 * A dry run counts objects exactly, but only those links that are broken already (spec 10 §17.3).
 *
 * @param progress told how many of the directories of objects have been swept.
 */
export function* garbageSteps(
  repository: SyncingHost,
  request: GcRequest,
  progress: ProgressReporter = nullReporter,
): Steps<GcResult> {
  const { additionalRoots, dryRun, keepNewerThan } = request;
  const since = keepNewerThan === undefined ? undefined : Date.now() - keepNewerThan;
  const young = since === undefined ? [] : entriesSince(repository, since);
  const { path: id } = repository.root;
  progress.report({ type: 'started', id, total: OBJECT_DIRECTORIES, unit: 'items' });
  const live = yield* findLiveSteps(repository, [...additionalRoots, ...young]);
  const imagesPruned = pruneLinks(repository, 'images', live, dryRun);
  const streamsPruned = pruneLinks(repository, 'streams', live, dryRun);
  if (!dryRun && imagesPruned + streamsPruned > 0) repository.sync();
  const onDirectory = (fetched: number): void => progress.report({ type: 'progress', id, fetched });
  const objects = yield* sweepObjects(repository, live.objects, { dryRun, since, onDirectory });
  progress.report({ type: 'done', id, transferred: OBJECT_DIRECTORIES });
  const leftovers = sum(sweepLeftovers(repository, dryRun), sweepPartialDownloads(repository, dryRun));
  const danglingRefs = [...live.categories.images.danglingRefs, ...live.categories.streams.danglingRefs];
  return {
    objectsRemoved: objects.count,
    objectsBytes: objects.bytes,
    imagesPruned,
    streamsPruned,
    ...(leftovers.count > 0 && { leftovers }),
    ...(danglingRefs.length > 0 && { danglingRefs }),
  };
}

/**
 * {@link garbageSteps} of some objects only. Where what is live cannot be told, nothing is deleted. The caller holds
 * the exclusive lock.
 */
function removeUnreachable(repository: SyncingHost, candidates: ReadonlySet<ObjectId>): undefined {
  let live: LiveSet;
  try {
    live = runSteps(findLiveSteps(repository, []));
  } catch {
    // A collection that is asked for says why.
    return undefined;
  }
  const isDead = (id: ObjectId): boolean => candidates.has(id) && !live.objects.has(id);
  let pruned = 0;
  for (const category of ['images', 'streams'] as const) {
    const { entries, roots } = live.categories[category];
    for (const [name, id] of entries) {
      if (!isDead(id) || roots.has(name)) continue;
      repository.root.unlink(Buffer.from(`${category}/${name}`));
      pruned++;
    }
  }
  if (pruned > 0) repository.sync();
  for (const id of candidates) {
    if (isDead(id)) repository.objects.directory.nameObject(id, (path) => rmSync(path, { force: true }));
  }
  return undefined;
}

function sum(a: SweptFiles, b: SweptFiles): SweptFiles {
  return { count: a.count + b.count, bytes: a.bytes + b.bytes };
}

/** The names of the fields outside of this library: varlink. */
export interface GcResultWire {
  readonly objects_removed: number;
  readonly objects_bytes: number;
  readonly images_pruned: number;
  readonly streams_pruned: number;
  /** This and the next: absent where the result has none. The reference has neither. */
  readonly leftovers?: SweptFiles;
  readonly dangling_refs?: readonly string[];
}

/** A result as `cfsctl gc --json` prints it. */
export function gcResultToWire(result: GcResult): GcResultWire {
  return {
    objects_removed: result.objectsRemoved,
    objects_bytes: result.objectsBytes,
    images_pruned: result.imagesPruned,
    streams_pruned: result.streamsPruned,
    ...(result.leftovers !== undefined && { leftovers: result.leftovers }),
    ...(result.danglingRefs !== undefined && { dangling_refs: result.danglingRefs }),
  };
}

/** For people, each line ended by a line feed. */
export function formatGcResult(result: GcResult, dryRun: boolean): string {
  const { objectsRemoved, objectsBytes, imagesPruned, streamsPruned, leftovers } = result;
  let text = dryRun ? 'Dry run (no files deleted):\n' : '';
  text += `Objects: ${objectsRemoved} removed (${objectsBytes} bytes)\n`;
  if (imagesPruned > 0 || streamsPruned > 0) {
    text += `Pruned symlinks: ${imagesPruned} images, ${streamsPruned} streams\n`;
  }
  // A line that the reference does not have: it leaves such files.
  if (leftovers !== undefined) text += `Leftovers: ${leftovers.count} removed (${leftovers.bytes} bytes)\n`;
  return text;
}
