import { serveJobs } from '../../../threads/jobs.js';
import { hostFrom } from '../objects/host.js';
import { type FsckJob, runFsckJob } from './fsck.js';

/** Does parts of a consistency check in a worker thread. */
serveJobs(hostFrom, (repository, job: FsckJob) => runFsckJob(repository, job));
