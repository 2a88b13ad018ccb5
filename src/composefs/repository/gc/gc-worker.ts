import { serveJobs } from '../../../threads/jobs.js';
import { hostFrom } from '../objects/host.js';
import { collectGarbage, type GcRequest } from './gc.js';

/** Collects garbage in a worker thread. */
serveJobs(hostFrom, (repository, request: GcRequest) => collectGarbage(repository, request));
