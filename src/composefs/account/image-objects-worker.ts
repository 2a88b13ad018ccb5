import { serveJobs } from '../../threads/jobs.js';
import { objectsForImage } from '../repository/names/images.js';
import { hostFrom } from '../repository/objects/host.js';

/** Finds the objects of images in a worker thread. */
serveJobs(hostFrom, (repository, { name }: { readonly name: string }) => objectsForImage(repository, name).toBytes());
