import { collectGarbage, type GcRequest } from './gc.js';
import { hostFrom, serveJobs } from './worker-threads.js';

/** Collects garbage in a worker thread. */
serveJobs(hostFrom, (repository, request: GcRequest) => collectGarbage(repository, request));
