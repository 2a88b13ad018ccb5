import { ComposefsError } from '../../../errors.js';
import { nullReporter } from '../../../progress.js';
import { type LongCallOptions, runJobs } from '../../../threads/jobs.js';
import { runInTurns } from '../../../threads/turns.js';
import type { ObjectId } from '../../fsverity/object-id.js';
import { hostFrom } from '../objects/host.js';
import type { ObjectStoreOptions } from '../objects/object-store.js';
import { type GcJob, type GcOutput, type GcRequest, type GcResult, gcJobSteps } from './gc.js';

/** {@link garbageSteps} in a thread of its own, unless `threads` is 0. The caller holds the lock. */
export async function runGc(
  store: ObjectStoreOptions,
  request: GcRequest,
  options: LongCallOptions,
): Promise<GcResult> {
  const result = await run(store, request, options);
  if (result === undefined || !('objectsRemoved' in result)) {
    throw new ComposefsError('INTERNAL', 'garbage collection gave no result');
  }
  return result;
}

/** {@link runGc} of some objects only. Where what is live cannot be told, nothing is deleted. */
export async function runRemoval(store: ObjectStoreOptions, only: readonly ObjectId[]): Promise<void> {
  await run(store, { only }, {});
}

/** What the collector keeps for an image. */
export async function runObjectSearch(
  store: ObjectStoreOptions,
  image: string,
  options: LongCallOptions,
): Promise<Set<ObjectId>> {
  const result = await run(store, { objectsOf: image }, options);
  if (!Array.isArray(result)) throw new ComposefsError('INTERNAL', 'the search for objects gave no result');
  return new Set(result);
}

async function run(
  store: ObjectStoreOptions,
  job: GcJob,
  { threads = 1, signal, progress = nullReporter }: LongCallOptions,
): Promise<GcOutput> {
  signal?.throwIfAborted();
  if (threads === 0) return await runInTurns(gcJobSteps(hostFrom(store), job, progress), signal);
  const worker = new URL('./gc-worker.js', import.meta.url);
  const [output] = await runJobs<GcJob, GcOutput>(worker, store, [job], { threads: 1, signal, progress });
  return output;
}
