import { performance } from 'node:perf_hooks';
import { Random } from '../support/random.js';

/** Of one trial; what follows are mostly consequences. */
const REASONS_SHOWN = 4;

export interface RoundOptions {
  /** Trials. */
  readonly count: number;
  readonly seed: number;
  /** Seconds after which no further trial begins. */
  readonly time: number;
  /** Only this trial, to repeat a failure. */
  readonly trial: number | undefined;
  /** Only those kinds whose name contains this word; what kinds there are the campaign says. */
  readonly only: string | undefined;
  /** An empty folder to work in. */
  readonly folder: string;
}

/** One trial of a campaign: its number, its own random numbers, and where it reports what it sees. */
export class Trial {
  readonly index: number;
  readonly random: Random;
  readonly #round: Round;
  #what = '';
  readonly reasons: string[] = [];

  constructor(round: Round, index: number) {
    this.#round = round;
    this.index = index;
    this.random = new Random(round.options.seed * 1_000_003 + index);
  }

  /** Says what is tried, for messages. */
  describe(what: string): void {
    this.#what = what;
  }

  get what(): string {
    return this.#what;
  }

  count(name: string, amount = 1): void {
    this.#round.count(name, amount);
  }

  /** Reports that the product did wrong. The trial may go on. */
  fail(reason: string): void {
    this.reasons.push(reason);
  }
}

/** A run of a campaign: so many trials, each with random numbers of its own, and what they found. */
export class Round {
  readonly name: string;
  readonly options: RoundOptions;
  failures = 0;
  readonly #figures = new Map<string, number>();
  readonly #start = performance.now();
  readonly #print: (line: string) => void;

  constructor(name: string, options: RoundOptions, print: (line: string) => void) {
    this.name = name;
    this.options = options;
    this.#print = print;
  }

  /** Seconds since the beginning. */
  get elapsed(): number {
    return (performance.now() - this.#start) / 1000;
  }

  get isTimeUp(): boolean {
    return this.elapsed >= this.options.time;
  }

  /** Whether a kind is wanted. */
  wants(kind: string): boolean {
    return this.options.only === undefined || kind.includes(this.options.only);
  }

  /** Runs the trials one after another until the count or the time is reached. */
  async trials(run: (trial: Trial) => Promise<void> | void): Promise<void> {
    const { count, trial: only } = this.options;
    for (let index = only ?? 0; only === undefined ? index < count : index === only; index++) {
      if (this.isTimeUp) return;
      const trial = new Trial(this, index);
      this.count('trials');
      try {
        await run(trial);
      } catch (error) {
        trial.fail(`the trial itself failed: ${describeError(error)}`);
      }
      if (trial.reasons.length > 0) this.fail(trial.index, trial.what, ...trial.reasons);
    }
  }

  count(name: string, amount = 1): void {
    this.#figures.set(name, (this.#figures.get(name) ?? 0) + amount);
  }

  /** Keeps the largest value seen. */
  peak(name: string, value: number): void {
    this.#figures.set(name, Math.max(this.#figures.get(name) ?? 0, value));
  }

  /** Says that a trial failed, and how to repeat it. */
  fail(index: number, what: string, ...reasons: readonly string[]): void {
    this.failures += 1;
    this.#print(`FAILED ${this.name}, trial ${index}: ${what}`);
    for (const reason of reasons.slice(0, REASONS_SHOWN)) this.#print(`  ${reason}`);
    if (reasons.length > REASONS_SHOWN) this.#print(`  and ${reasons.length - REASONS_SHOWN} more`);
    this.#print(`  again: ${this.command(index)}`);
  }

  /** How to run one trial again. */
  command(trial: number): string {
    const { seed, only } = this.options;
    const kind = only === undefined ? '' : ` --only ${only}`;
    return `npm run torture -- ${this.name}${kind} --seed ${seed} --trial ${trial}`;
  }

  /** The line of figures. */
  summary(): string {
    const figures = [...this.#figures].map(([name, value]) => `${value} ${name}`);
    const failures = this.failures === 0 ? 'nothing failed' : `${this.failures} FAILED`;
    return `${this.name}: ${failures}; ${figures.join(', ')}; seed ${this.options.seed}, ${this.elapsed.toFixed(0)} s`;
  }
}

/** The message and where in the campaign it came from. */
function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = error.stack?.split('\n').find((line) => line.includes('/torture/') && !line.includes('command.js'));
  return `${error.message} ${place?.trim() ?? ''}`;
}

/** A way to break things. */
export interface Campaign {
  /** One sentence for the list. */
  readonly description: string;
  /** Trials and seconds of a whole round. */
  readonly count: number;
  readonly time: number;
  /** What is missing here, if it cannot run. */
  readonly unavailable?: () => string | undefined;
  /** It mounts file systems: it gets a mount namespace that ends with it. */
  readonly mounts?: true;
  readonly run: (round: Round) => Promise<void>;
}
