import { serveJobs } from '../../../threads/jobs.js';
import { hostFrom } from '../objects/host.js';
import { type GcJob, runGcJob } from './gc.js';

/** Collects garbage in a worker thread. */
serveJobs(hostFrom, (repository, job: GcJob, progress) => runGcJob(repository, job, progress));
