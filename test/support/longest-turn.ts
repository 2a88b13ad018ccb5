import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

/** Milliseconds for which a thread did not let others have their turn. */
export interface Turn {
  /** Processor time of the thread. */
  readonly cpu: number;
  /** All but waiting: for the processor, and for what the event loop waits for. */
  readonly busy: number;
}

/** What this process's first thread has used. */
function times(): readonly [cpu: number, waited: number, active: number] {
  const [cpu = '', waited = ''] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ');
  return [Number(cpu) / 1e6, Number(waited) / 1e6, performance.eventLoopUtilization().active];
}

/** The longest of the turns that a call takes, each quantity by itself. */
export async function longestTurn(action: () => Promise<unknown>): Promise<Turn> {
  let longest: Turn = { cpu: 0, busy: 0 };
  let last = times();
  const look = (): void => {
    const now = times();
    const cpu = now[0] - last[0];
    const busy = now[2] - last[2] - (now[1] - last[1]);
    longest = { cpu: Math.max(longest.cpu, cpu), busy: Math.max(longest.busy, busy) };
    last = now;
  };
  const ticker = setInterval(look, 1);
  try {
    await action();
    // What comes after the last turn counts, too.
    await new Promise((resolve) => setImmediate(resolve));
    look();
    return longest;
  } finally {
    clearInterval(ticker);
  }
}
