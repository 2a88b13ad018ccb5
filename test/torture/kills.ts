import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, type Ended, howItEnded, mustRun, runCommand } from './command.js';
import { CALL_KINDS, CHANGES, faultEnvironment } from './fault-plan.js';
import { Random } from './random.js';
import { difference, references, type Snapshot, snapshot, strays } from './repository-state.js';
import type { Campaign, Round, Trial } from './round.js';
import { findings } from './soundness.js';
import { type Verb, Verbs } from './verbs.js';

export const kills: Campaign = {
  description: 'commands are killed at random moments; then others run',
  count: 500,
  time: 3600,
  run,
};

/** What happens after the kill. `again` is the killed command itself; a gc follows in any case. */
const AFTERWARDS: readonly (readonly string[])[] = [['again'], ['gc', 'again'], ['pull', 'import-layer', 'again']];
/** A gc that was killed matters most to what stores the same again. */
const AFTER_GC: readonly (readonly string[])[] = [
  ['pull', 'again'],
  ['import-layer', 'again'],
  ['again', 'pull', 'import-layer'],
  ['pull-plain', 'again'],
];

const RESET = 'reset-metadata';
/** It throws away what is tagged: until it has come to its end, nothing need be sound. */
const AFTER_RESET: readonly (readonly string[])[] = [['again'], ['again', 'pull', 'import-layer']];

/** How a verb goes when nothing disturbs it. */
interface Undisturbed {
  readonly milliseconds: number;
  /** System calls that change the repository. */
  readonly changes: number;
  /** Where the references lead. */
  readonly references: ReadonlyMap<string, string>;
}

async function run(round: Round): Promise<void> {
  const verbs = await Verbs.make(round.options.folder, new Random(round.options.seed));
  try {
    const killer = new Killer(round.options.folder, verbs);
    const all = verbs.all().filter((verb) => round.wants(verb.name));
    await round.trials((trial) => killer.try(trial, all[trial.index % all.length] ?? trial.random.pick(all)));
  } finally {
    await verbs.close();
  }
}

class Killer {
  readonly #verbs: Verbs;
  readonly #repository: string;
  readonly #undisturbed = new Map<string, Promise<Undisturbed>>();
  readonly #expected = new Map<string, Promise<Snapshot>>();

  constructor(folder: string, verbs: Verbs) {
    this.#verbs = verbs;
    this.#repository = join(folder, 'repository');
  }

  async try(trial: Trial, verb: Verb): Promise<void> {
    const { random } = trial;
    const undisturbed = await memoized(this.#undisturbed, verb.name, () => this.#measure(verb));
    const afterwards = random.pick(possibleAfterwards(verb));
    const expected = await memoized(this.#expected, `${verb.name} ${afterwards}`, () => this.#finish(verb, afterwards));

    await this.#verbs.copy(verb.start, this.#repository);
    const before = verb.start === undefined ? new Map<string, string>() : references(snapshot(this.#repository));
    const ended = await this.#kill(trial, verb, undisturbed, afterwards);
    trial.count(ended.signal === 'SIGKILL' ? 'killed' : 'ended before');
    if (ended.signal === null && ended.status !== 0) trial.fail(howItEnded(ended));

    const state = snapshot(this.#repository, { mayBeMissing: true });
    if (state.has('meta.json') && verb.name !== RESET) await this.#check(trial, 'after the kill', state);
    for (const [name, target] of verb.name === RESET ? [] : before) {
      const now = references(state).get(name);
      const wanted = undisturbed.references.get(name);
      if (now !== target && now !== wanted) trial.fail(`after the kill ${name} is ${now ?? 'gone'}, not ${target}`);
    }
    for (const step of afterwards) {
      const next = await runCommand(this.#repository, this.#command(verb, step));
      const isRight = next.status === 0 || (step === 'again' && verb.doneAlready?.test(next.stderr));
      if (!isRight) trial.fail(`then ${step}: ${howItEnded(next)}`);
      await this.#check(trial, `after ${step}`, new Map());
    }
    const gc = await runCommand(this.#repository, { args: ['gc'] });
    if (gc.status !== 0) trial.fail(`gc at the end: ${howItEnded(gc)}`);
    const different = difference(snapshot(this.#repository), expected);
    if (different !== undefined) trial.fail(`not as without the kill: ${different}`);
  }

  /** At one of its changes, chosen by number, or at any moment, by time. */
  #kill(trial: Trial, verb: Verb, { changes, milliseconds }: Undisturbed, after: readonly string[]): Promise<Ended> {
    const { random } = trial;
    if (random.chance(0.6)) {
      const n = random.between(1, changes);
      trial.describe(`${verb.name} killed at change ${n} of ${changes}, then ${after.join(', ')}`);
      const env = faultEnvironment({ folder: this.#repository, kinds: CHANGES, n, action: 'kill' });
      return runCommand(this.#repository, verb, { env });
    }
    const killAfter = Math.round(milliseconds * (0.15 + random.below(900) / 1000));
    trial.describe(
      `${verb.name} killed after ${killAfter} of ${Math.round(milliseconds)} ms, then ${after.join(', ')}`,
    );
    return runCommand(this.#repository, verb, { killAfter });
  }

  async #check(trial: Trial, when: string, state: Snapshot): Promise<void> {
    for (const finding of (await findings(this.#repository)).slice(0, 3)) trial.fail(`${when}: ${finding}`);
    const left = strays(state);
    if (left.length > 0) trial.fail(`${when} there is ${left.slice(0, 3).join(', ')}`);
  }

  async #measure(verb: Verb): Promise<Undisturbed> {
    await this.#verbs.copy(verb.start, this.#repository);
    const { milliseconds } = await mustRun(this.#repository, verb);
    const tags = references(snapshot(this.#repository));
    await this.#verbs.copy(verb.start, this.#repository);
    const report = `${this.#repository}-calls.json`;
    const plan = { folder: this.#repository, kinds: CALL_KINDS, n: 0, action: 'count', report } as const;
    await mustRun(this.#repository, verb, { env: faultEnvironment(plan) });
    const counts = JSON.parse(readFileSync(report, 'utf8')) as Record<string, number>;
    const changes = CHANGES.reduce((sum, kind) => sum + (counts[kind] ?? 0), 0);
    return { milliseconds, changes, references: tags };
  }

  /** What is there in the end if nothing is killed. */
  async #finish(verb: Verb, afterwards: readonly string[]): Promise<Snapshot> {
    await this.#verbs.copy(verb.start, this.#repository);
    await mustRun(this.#repository, verb);
    for (const step of afterwards) {
      if (step !== 'again') await mustRun(this.#repository, this.#command(verb, step));
    }
    await mustRun(this.#repository, { args: ['gc'] });
    const found = await findings(this.#repository);
    if (found.length > 0) throw new Error(`${verb.name}, ${afterwards}: not sound although undisturbed: ${found[0]}`);
    return snapshot(this.#repository);
  }

  #command(verb: Verb, step: string): Command {
    switch (step) {
      case 'again':
        return verb;
      case 'pull':
        return this.#verbs.pull('pulled');
      case 'pull-plain':
        return this.#verbs.pull('pulled', this.#verbs.plain);
      case 'import-layer':
        return this.#verbs.importLayer('imported');
      default:
        return { args: [step] };
    }
  }
}

function possibleAfterwards({ name, start }: Verb): readonly (readonly string[])[] {
  if (start === undefined) return [['again']];
  if (name === RESET) return AFTER_RESET;
  return name === 'gc' ? AFTER_GC : AFTERWARDS;
}

function memoized<T>(memo: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let value = memo.get(key);
  if (value === undefined) {
    value = make();
    memo.set(key, value);
  }
  return value;
}
