import { setTimeout as delay } from 'node:timers/promises';
import { type MessagePort, threadId } from 'node:worker_threads';
import { ComposefsError } from '../../src/errors.js';
import { serveTasks } from '../../src/threads/tasks.js';
import { threadData } from '../../src/threads/thread-side.js';

/** The tasks of the threads in pool.test.ts. */
export interface TestTasks {
  readonly double: { readonly input: number; readonly output: number };
  readonly fail: { readonly input: string; readonly output: undefined };
  readonly wait: { readonly input: undefined; readonly output: string };
  readonly compute: { readonly input: undefined; readonly output: undefined };
  readonly die: { readonly input: undefined; readonly output: undefined };
  readonly answer: { readonly input: MessagePort; readonly output: undefined };
  readonly count: { readonly input: undefined; readonly output: number };
  /** Answers when something comes over the port, with the number of its thread. */
  readonly attend: { readonly input: MessagePort; readonly output: number };
  readonly tell: { readonly input: undefined; readonly output: undefined };
}

let calls = 0;
const { counter } = threadData<{ readonly counter: Int32Array }>();

serveTasks<TestTasks>({
  double: (input) => {
    calls += 1;
    return 2 * input;
  },
  fail: (text) => {
    throw new ComposefsError('TIMEOUT', text, { hint: 'a hint' });
  },
  wait: async (_, { signal, report }) => {
    report({ type: 'message', text: 'waiting' });
    await delay(10_000, undefined, { signal }).catch(() => undefined);
    return 'stopped';
  },
  compute: () => {
    for (;;);
  },
  die: () => process.exit(7),
  answer: (port) => {
    port.postMessage('here');
    port.close();
    return undefined;
  },
  attend: (port) =>
    new Promise((resolve) =>
      port.once('message', () => {
        port.close();
        resolve(threadId);
      }),
    ),
  count: () => calls,
  tell: () => {
    Atomics.add(counter, 0, calls);
    return undefined;
  },
});
