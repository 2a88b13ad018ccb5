import { serveJobs } from '../../../threads/jobs.js';
import { withoutTerminationAsync } from '../../../threads/thread-side.js';
import { runSteps } from '../../../threads/turns.js';
import { hostFrom } from '../objects/host.js';
import { directoriesSteps, type FsckShare, type FsckShareResult } from './fsck-share.js';

/** Does its share of a consistency check in a worker thread. */
serveJobs(hostFrom, async (repository, { contents, directories }: FsckShare, progress): Promise<FsckShareResult> => {
  const found = contents === undefined ? undefined : await checkContents(contents.objectsAreChecked);
  return {
    ...(found !== undefined && { contents: found }),
    directories: runSteps(directoriesSteps(repository, directories, progress)),
  };

  async function checkContents(objectsAreChecked: boolean) {
    // What reads images is much to load for threads that read none.
    const { contentSteps } = await withoutTerminationAsync(() => import('./fsck-contents.js'));
    return runSteps(contentSteps(repository, objectsAreChecked));
  }
});
