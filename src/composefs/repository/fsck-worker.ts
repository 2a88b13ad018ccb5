import { type FsckJob, runFsckJob } from './fsck.js';
import { serveJobs } from './worker-threads.js';

/** Does parts of a consistency check in a worker thread. */
serveJobs((repository, job: FsckJob) => runFsckJob(repository, job));
