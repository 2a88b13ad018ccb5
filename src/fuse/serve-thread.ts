import { postToStarter, threadData, threadIsReady } from '../threads/thread-side.js';
import { INLINE_HASH_MAX } from './object-files.js';
import { serveRequests } from './serve-loop.js';
import { imageServer, type ServerData } from './server-data.js';

/**
 * A thread that serves a mount until it is gone.
 *
 * It blocks in `read(2)`, and answers before it reads again: the thread never returns to its event loop. That is the
 * shortest way there is in Node. docs/fuse.md has the measurements: the same server with `fs.read` callbacks, where
 * every request goes through the thread pool and back, takes several times as long for each, and so do calls of
 * koffi in the background.
 */

/** A request that takes long, for the main thread to answer. */
export interface DeferredRequest {
  /** The descriptor that it was read from, to which the reply has to go. */
  readonly deviceFd: number;
  readonly request: Uint8Array;
}

const data: ServerData = threadData();
const { deviceFd } = data;
threadIsReady();
serveRequests(deviceFd, imageServer(data, INLINE_HASH_MAX), (request) => {
  const deferred: DeferredRequest = { deviceFd, request };
  postToStarter(deferred);
});
