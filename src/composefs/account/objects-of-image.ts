import { type LongCallOptions, runJobs } from '../../threads/jobs.js';
import type { ObjectId } from '../fsverity/object-id.js';
import { objectsForImage } from '../repository/names/images.js';
import type { RepositoryHost } from '../repository/objects/host.js';

/** The objects that an image needs, without itself, found by a thread of its own unless `threads` is 0. */
export async function objectsOfImage(
  repository: RepositoryHost,
  name: string,
  { threads = 1, signal }: Pick<LongCallOptions, 'threads' | 'signal'>,
): Promise<readonly ObjectId[]> {
  if (threads === 0) return [...objectsForImage(repository, name)];
  const worker = new URL('./image-objects-worker.js', import.meta.url);
  const store = repository.objects.options;
  const [ids] = await runJobs<{ readonly name: string }, ObjectId[]>(worker, store, [{ name }], {
    threads: 1,
    signal,
  });
  return ids ?? [];
}
