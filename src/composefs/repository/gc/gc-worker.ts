import { serveJobs } from '../../../threads/jobs.js';
import { runSteps } from '../../../threads/turns.js';
import { hostFrom } from '../objects/host.js';
import { type GcJob, gcJobSteps } from './gc.js';

/** Collects garbage in a worker thread. */
serveJobs(hostFrom, (repository, job: GcJob, progress) => runSteps(gcJobSteps(repository, job, progress)));
