import { loadLibc } from '../../src/linux/ffi.js';
import { postToStarter, threadData, threadIsReady } from '../../src/threads/thread-side.js';

/** Loads koffi and binds functions for ever: where ending a thread is dangerous. */
threadIsReady();
const { forever } = threadData<{ readonly forever: boolean }>();
if (forever) {
  const libc = loadLibc();
  postToStarter('binding');
  for (;;) libc.func('flock', 'int', ['int', 'int']);
} else {
  postToStarter('loading');
  loadLibc().func('flock', 'int', ['int', 'int']);
}
