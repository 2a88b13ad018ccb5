import { ComposefsError } from '../../../errors.js';
import { type LongCallOptions, runJobs } from '../../../threads/jobs.js';
import type { ObjectId } from '../../fsverity/object-id.js';
import { hostFrom } from '../objects/host.js';
import type { ObjectStoreOptions } from '../objects/object-store.js';
import { collectGarbage, type GcJob, type GcRequest, type GcResult } from './gc.js';

/** {@link collectGarbage} in a thread of its own, unless `threads` is 0. The caller holds the lock. */
export async function runGc(
  store: ObjectStoreOptions,
  request: GcRequest,
  { threads = 1, signal }: LongCallOptions,
): Promise<GcResult> {
  if (threads === 0) return collectGarbage(hostFrom(store), request);
  const result = await inThread(store, request, signal);
  if (result === undefined) throw new ComposefsError('INTERNAL', 'garbage collection gave no result');
  return result;
}

/** {@link runGc} of some objects only. Where what is live cannot be told, nothing is deleted. */
export async function runRemoval(store: ObjectStoreOptions, only: readonly ObjectId[]): Promise<void> {
  await inThread(store, { only });
}

async function inThread(store: ObjectStoreOptions, job: GcJob, signal?: AbortSignal): Promise<GcResult | undefined> {
  const worker = new URL('./gc-worker.js', import.meta.url);
  const [result] = await runJobs<GcJob, GcResult | undefined>(worker, store, [job], { threads: 1, signal });
  return result;
}
