import { type FsckJob, runFsckJob } from './fsck.js';
import { hostFrom, serveJobs } from './worker-threads.js';

/** Does parts of a consistency check in a worker thread. */
serveJobs(hostFrom, (repository, job: FsckJob) => runFsckJob(repository, job));
