import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { TerminationLock } from './termination-lock.js';

/** What a thread sees of the {@link Thread} that started it. */

export interface ThreadData {
  readonly terminationLock: SharedArrayBuffer;
  readonly data: unknown;
}

const own = isThreadData(workerData) ? workerData : undefined;
const lock = own === undefined ? undefined : new TerminationLock(own.terminationLock);

/** The data that this thread was started with. */
export function threadData<Data>(): Data {
  return own?.data as Data;
}

/** Does something during which this thread must not be ended. */
export function withoutTermination<T>(action: () => T): T {
  return lock === undefined ? action() : lock.run(action);
}

export function postToStarter(message: unknown): void {
  if (parentPort === null) throw new Error('this module runs in a worker thread only');
  parentPort.postMessage(message);
}

/** Calls `listener` with each message of the starter until that wants the thread to end. */
export function onMessage<Message>(listener: (message: Message) => void): void {
  if (parentPort === null) throw new Error('this module runs in a worker thread only');
  parentPort.on('message', (envelope: { readonly end: true } | { readonly message: Message }) => {
    // In a worker thread this ends the thread only, here where nothing else of it runs.
    if ('end' in envelope) process.exit();
    listener(envelope.message);
  });
}

function isThreadData(data: unknown): data is ThreadData {
  return (
    !isMainThread &&
    typeof data === 'object' &&
    data !== null &&
    'terminationLock' in data &&
    data.terminationLock instanceof SharedArrayBuffer
  );
}
