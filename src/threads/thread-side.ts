import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { TerminationLock } from './termination-lock.js';

/** What a thread sees of the {@link Thread} that started it. */

export interface ThreadData {
  readonly terminationLock: SharedArrayBuffer;
  readonly data: unknown;
}

const own = isThreadData(workerData) ? workerData : undefined;
const lock = own === undefined ? undefined : new TerminationLock(own.terminationLock);

/** How often it is looked whether the thread can end itself. */
const END_INTERVAL_MS = 1;

/** The data that this thread was started with. */
export function threadData<Data>(): Data {
  return own?.data as Data;
}

/** All modules of the thread are loaded: from now on it can be ended. {@link onMessage} says so, too. Call one, once. */
export function threadIsReady(): void {
  lock?.release();
}

/** Does something during which this thread must not be ended. */
export function withoutTermination<T>(action: () => T): T {
  lock?.hold();
  try {
    return action();
  } finally {
    lock?.release();
  }
}

/** {@link withoutTermination} for what is loaded later. */
export async function withoutTerminationAsync<T>(action: () => Promise<T>): Promise<T> {
  lock?.hold();
  try {
    return await action();
  } finally {
    lock?.release();
  }
}

export function postToStarter(message: unknown): void {
  if (parentPort === null) throw new Error('this module runs in a worker thread only');
  parentPort.postMessage(message);
}

/** Calls `listener` with each message of the starter until that wants the thread to end. */
export function onMessage<Message>(listener: (message: Message) => void): void {
  if (parentPort === null) throw new Error('this module runs in a worker thread only');
  parentPort.on('message', (envelope: { readonly end: true } | { readonly message: Message }) => {
    if ('end' in envelope) endThread();
    else listener(envelope.message);
  });
  threadIsReady();
}

/** In a worker thread `process.exit` ends the thread only, here where nothing else of it runs. */
function endThread(): void {
  if (lock?.isHeld === true) setTimeout(endThread, END_INTERVAL_MS);
  else process.exit();
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
