import { parentPort, workerData } from 'node:worker_threads';
import { ComposefsError, fullMessage } from '../../src/index.js';
import { cpuTime } from '../support/cpu-time.js';
import { Random } from '../support/random.js';
import { MutatedPulls } from './mutation-pulls.js';
import { MutatedRepositories } from './mutation-repositories.js';
import { mutationTargets, Wrong } from './mutation-targets.js';

/** What the thread is told. */
export interface MutationRequest {
  readonly folder: string;
  readonly seed: number;
  readonly only: string | undefined;
  /** The first trial, and the one after the last. */
  readonly from: number;
  readonly to: number;
  /** Of a 32-bit integer: the trial that is going on. */
  readonly current: SharedArrayBuffer;
}

/** What the thread says. */
export type MutationReport =
  | { readonly type: 'tried'; readonly target: string; readonly count: number; readonly accepted: number }
  | { readonly type: 'failed'; readonly trial: number; readonly what: string; readonly reason: string };

/** Milliseconds of processor time that one mutation may take. */
const TIME_MAX = 5000;
/** One in so many trials pulls a whole image or checks a whole repository, which takes as long as all the others. */
const SLOW_EVERY = 400;
const REPORT_EVERY = 200;

/** How a reader may refuse: by an error of ours that is no accident, or one of the system. */
function isOrderly(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(isOrderly);
  if (error instanceof ComposefsError) return error.code !== 'INTERNAL' && !/^ERR_/.test(error.code);
  return error instanceof Error && 'errno' in error && !(error instanceof TypeError);
}

function describe(error: unknown): string {
  if (error instanceof AggregateError) return describe(error.errors.find((each) => !isOrderly(each)));
  const stack = error instanceof Error ? error.stack?.split('\n').slice(0, 4).join(' ') : String(error);
  return `${fullMessage(error)}: ${stack}`.slice(0, 800);
}

/** One way to try something. */
interface Attempt {
  readonly name: string;
  readonly run: (random: Random) => Promise<void>;
}

async function run({ folder, seed, only, from, to, current }: MutationRequest): Promise<void> {
  const trial = new Int32Array(current);
  const pulls = new MutatedPulls(folder);
  const repositories = new MutatedRepositories(folder);
  const isWanted = ({ name }: { readonly name: string }): boolean => only === undefined || name.includes(only);
  const slow: readonly Attempt[] = [
    { name: 'pull', run: (random: Random) => pulls.try(random) },
    { name: 'repository', run: (random: Random) => repositories.try(random) },
  ].filter(isWanted);
  const fast: readonly Attempt[] = (await mutationTargets(folder)).filter(isWanted).map((target) => ({
    name: target.name,
    run: async (random) => void (await target.read(target.mutate(random.pick(target.seeds), random))),
  }));
  const counts = new Map<string, { count: number; accepted: number }>();
  const report = (message: MutationReport): void => parentPort?.postMessage(message);
  const flush = (): void => {
    for (const [target, count] of counts) report({ type: 'tried', target, ...count });
    counts.clear();
  };
  for (let index = from; index < to; index++) {
    Atomics.store(trial, 0, index);
    const random = new Random(seed * 1_000_003 + index);
    const isSlow = fast.length === 0 || (slow.length > 0 && index % SLOW_EVERY === 0);
    const attempt = random.pick(isSlow ? slow : fast);
    const { name } = attempt;
    const start = cpuTime();
    let accepted = 0;
    try {
      await attempt.run(random);
      accepted = 1;
    } catch (error) {
      if (error instanceof Wrong) report({ type: 'failed', trial: index, what: name, reason: error.message });
      else if (!isOrderly(error)) report({ type: 'failed', trial: index, what: name, reason: describe(error) });
    }
    const time = cpuTime() - start;
    if (time > TIME_MAX) report({ type: 'failed', trial: index, what: name, reason: `took ${time.toFixed(0)} ms` });
    const count = counts.get(name) ?? { count: 0, accepted: 0 };
    counts.set(name, { count: count.count + 1, accepted: count.accepted + accepted });
    if (index % REPORT_EVERY === 0) flush();
  }
  flush();
  pulls.close();
}

await run(workerData as MutationRequest);
