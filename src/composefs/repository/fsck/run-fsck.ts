import { nullReporter } from '../../../progress.js';
import { type LongCallOptions, runJobs } from '../../../threads/jobs.js';
import type { RepositoryHost } from '../objects/host.js';
import { concludeFsck, type FsckRequest, type FsckResult, planFsck, runFsckJob } from './fsck.js';
import type { FsckPart } from './fsck-result.js';

/** A consistency check, its parts in `threads` threads; 0: all of it in this one. Reports the parts that are done. */
export async function runFsck(
  repository: RepositoryHost,
  request: FsckRequest,
  { threads, signal, progress = nullReporter }: LongCallOptions & { readonly threads: number },
): Promise<FsckResult> {
  const jobs = planFsck(request);
  const { path: id } = repository.root;
  let fetched = 0;
  progress.report({ type: 'started', id, total: jobs.length, unit: 'items' });
  const onDone = (): void => progress.report({ type: 'progress', id, fetched: ++fetched, total: jobs.length });
  let parts: FsckPart[];
  if (threads === 0) {
    parts = jobs.map((job) => {
      const part = runFsckJob(repository, job);
      onDone();
      return part;
    });
  } else {
    const worker = new URL('./fsck-worker.js', import.meta.url);
    parts = await runJobs(worker, repository.objects.options, jobs, { threads, signal, onDone });
  }
  progress.report({ type: 'done', id, transferred: fetched });
  return concludeFsck(repository, parts);
}
