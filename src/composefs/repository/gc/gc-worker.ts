import { hostFrom, serveJobs } from '../objects/worker-threads.js';
import { collectGarbage, type GcRequest } from './gc.js';

/** Collects garbage in a worker thread. */
serveJobs(hostFrom, (repository, request: GcRequest) => collectGarbage(repository, request));
