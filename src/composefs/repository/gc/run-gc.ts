import { ComposefsError } from '../../../errors.js';
import { type LongCallOptions, runJobs } from '../../../threads/jobs.js';
import { hostFrom } from '../objects/host.js';
import type { ObjectStoreOptions } from '../objects/object-store.js';
import { collectGarbage, type GcRequest, type GcResult } from './gc.js';

/** {@link collectGarbage} in a thread of its own, unless `threads` is 0. The caller holds the lock. */
export async function runGc(
  store: ObjectStoreOptions,
  request: GcRequest,
  { threads = 1, signal }: LongCallOptions,
): Promise<GcResult> {
  if (threads === 0) return collectGarbage(hostFrom(store), request);
  const worker = new URL('./gc-worker.js', import.meta.url);
  const [result] = await runJobs<GcRequest, GcResult>(worker, store, [request], { threads: 1, signal });
  if (result === undefined) throw new ComposefsError('INTERNAL', 'garbage collection gave no result');
  return result;
}
