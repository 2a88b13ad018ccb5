import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { MutationReport, MutationRequest } from './mutation-worker.js';
import type { Campaign, Round } from './round.js';

export const mutations: Campaign = {
  description: 'files of every format, archives and whole images, changed at random',
  count: 1_000_000,
  time: 7200,
  run,
};

/** Milliseconds after which a trial hangs, however busy the machine. */
const PATIENCE = 60_000;
/** MiB of memory that this process may come to need. */
const MEMORY_MAX = 1024;

/**
 * Trials run in a thread, so that one that never ends can be told and ended; the next thread goes on after it.
 */
async function run(round: Round): Promise<void> {
  const { count, trial, seed, only, folder } = round.options;
  const current = new SharedArrayBuffer(4);
  const position = new Int32Array(current);
  const end = trial === undefined ? count : trial + 1;
  for (let from = trial ?? 0; from < end && !round.isTimeUp; ) {
    Atomics.store(position, 0, from);
    const request: MutationRequest = { folder, seed, only, from, to: end, current };
    const reason = await watch(
      round,
      new Worker(new URL('./mutation-worker.js', import.meta.url), { workerData: request }),
      position,
    );
    const stopped = Atomics.load(position, 0);
    if (reason === 'ended') break;
    if (reason === 'time is up') break;
    round.fail(stopped, 'the thread', reason);
    from = stopped + 1;
  }
}

/** Until the thread has ended, hangs or the time is up. */
async function watch(round: Round, worker: Worker, position: Int32Array): Promise<string> {
  let ended: string | undefined;
  worker.on('message', (report: MutationReport) => {
    if (report.type === 'failed') round.fail(report.trial, report.what, report.reason);
    else {
      round.count('trials', report.count);
      round.count(`${report.target}`, report.count);
      round.count('accepted', report.accepted);
    }
  });
  worker.on('error', (error) => {
    ended = `it died: ${error.stack}`;
  });
  worker.on('exit', () => {
    ended ??= 'ended';
  });
  let [last, since] = [-1, Date.now()];
  for (;;) {
    await sleep(200);
    const memory = process.memoryUsage().rss / 2 ** 20;
    round.peak('MiB at most', Math.round(memory));
    const now = Atomics.load(position, 0);
    if (now !== last) [last, since] = [now, Date.now()];
    if (ended !== undefined) return ended;
    const stop =
      Date.now() - since > PATIENCE
        ? 'it hangs'
        : memory > MEMORY_MAX
          ? `it takes ${memory.toFixed(0)} MiB`
          : undefined;
    if (stop !== undefined || round.isTimeUp) {
      await worker.terminate();
      return stop ?? 'time is up';
    }
  }
}
