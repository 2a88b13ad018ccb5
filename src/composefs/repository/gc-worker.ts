import { collectGarbage, type GcRequest } from './gc.js';
import { serveJobs } from './worker-threads.js';

/** Collects garbage in a worker thread. */
serveJobs((repository, request: GcRequest) => collectGarbage(repository, request));
