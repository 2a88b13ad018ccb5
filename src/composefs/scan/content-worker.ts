import { serveJobs } from '../../threads/jobs.js';
import { runSteps } from '../../threads/turns.js';
import { type ContentJob, finishObjects, openDestination, storeContentsSteps } from './file-contents.js';

/** Reads and stores the contents of files in a worker thread. */
serveJobs(openDestination, (store, job: ContentJob) => runSteps(storeContentsSteps(store, job)), finishObjects);
