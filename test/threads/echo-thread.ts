import { onMessage, postToStarter, threadData } from '../../src/threads/thread-side.js';

/** Sends messages back; after `sleep` it hears nothing any more. */
const { prefix } = threadData<{ readonly prefix: string }>();
onMessage((message: string) => {
  postToStarter(`${prefix} ${message}`);
  if (message === 'sleep') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});
