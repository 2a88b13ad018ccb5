import { serveJobs } from '../../threads/jobs.js';
import { type ContentJob, finishObjects, openDestination, storeContents } from './file-contents.js';

/** Reads and stores the contents of files in a worker thread. */
serveJobs(openDestination, (store, job: ContentJob) => storeContents(store, job), finishObjects);
