import { asBuffer } from '../../bytes/byte-string.js';
import { type LongCallOptions, runJobs } from '../../threads/jobs.js';
import { objectsForImage } from '../repository/names/images.js';
import type { RepositoryHost } from '../repository/objects/host.js';

/**
 * The objects that an image needs, without itself, found by a thread of its own unless `threads` is 0.
 *
 * @returns their digests, one after the other.
 */
export async function objectsOfImage(
  repository: RepositoryHost,
  name: string,
  { threads = 1, signal }: Pick<LongCallOptions, 'threads' | 'signal'>,
): Promise<Buffer> {
  if (threads === 0) return objectsForImage(repository, name).toBytes();
  const worker = new URL('./image-objects-worker.js', import.meta.url);
  const store = repository.objects.options;
  const jobs = [{ name }];
  const [digests] = await runJobs<{ readonly name: string }, Uint8Array>(worker, store, jobs, { threads: 1, signal });
  return asBuffer(digests ?? new Uint8Array());
}
