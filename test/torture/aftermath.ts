import { existsSync, lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../support/random.js';
import { type Command, type Ended, howItEnded, mustRun, runCommand } from './command.js';
import { CALL_KINDS, type CallKind, faultEnvironment } from './fault-plan.js';
import { ageLeftovers, difference, references, type Snapshot, snapshot, strays } from './repository-state.js';
import type { Trial } from './round.js';
import { findings } from './soundness.js';
import type { Verb, Verbs } from './verbs.js';

/** How a verb goes when nothing disturbs it. */
export interface Undisturbed {
  readonly milliseconds: number;
  readonly stdout: string;
  /** System calls about the repository, by kind. */
  readonly calls: ReadonlyMap<CallKind, number>;
  /** Where the references lead afterwards. */
  readonly references: ReadonlyMap<string, string>;
  /** Bytes that the files of the repository grow by. */
  readonly growth: number;
}

/** What follows a disturbed command: `again` is that command itself, a gc ends it in any case. */
export type Sequel = readonly string[];

const SEQUELS: readonly Sequel[] = [['again'], ['gc', 'again'], ['pull', 'import-layer', 'again']];
/** A gc that was disturbed matters most to what stores the same again. */
const SEQUELS_OF_GC: readonly Sequel[] = [
  ['pull', 'again'],
  ['import-layer', 'again'],
  ['again', 'pull', 'import-layer'],
  ['pull-plain', 'again'],
];
const RESET = 'reset-metadata';
/** It throws away what is tagged: until it has come to its end, nothing need be sound. */
const SEQUELS_OF_RESET: readonly Sequel[] = [['again'], ['again', 'pull', 'import-layer']];

/**
 * Looks at a repository after a command on it was disturbed, runs further ones, and compares what comes of it with what
 * there is when nothing is disturbed.
 */
export class Aftermath {
  readonly #verbs: Verbs;
  /** Where undisturbed runs happen: at the path of the disturbed ones, for the name is in some messages. */
  readonly #repository: string;
  readonly #undisturbed = new Map<string, Promise<Undisturbed>>();
  readonly #expected = new Map<string, Promise<Snapshot>>();

  constructor(verbs: Verbs, repository: string) {
    this.#verbs = verbs;
    this.#repository = repository;
  }

  undisturbed(verb: Verb): Promise<Undisturbed> {
    return memoized(this.#undisturbed, verb.name, () => this.#measure(verb));
  }

  chooseSequel({ name, start }: Verb, random: Random): Sequel {
    if (start === undefined) return ['again'];
    if (name === RESET) return random.pick(SEQUELS_OF_RESET);
    return random.pick(name === 'gc' ? SEQUELS_OF_GC : SEQUELS);
  }

  /** Makes sure that what {@link check} compares with is known, which changes the repository. */
  async prepare(verb: Verb, sequel: Sequel): Promise<void> {
    await this.undisturbed(verb);
    await this.#finished(verb, sequel);
  }

  /** Copies what the verb starts from to the repository, and returns its references. */
  async begin(verb: Verb): Promise<ReadonlyMap<string, string>> {
    await this.#verbs.copy(verb.start, this.#repository);
    return references(snapshot(this.#repository, { mayBeMissing: true }));
  }

  /**
   * @param before the references when the command began.
   * @param whenLooked called between the first look and the next commands: what disturbed the command ends there.
   */
  async check(
    trial: Trial,
    verb: Verb,
    sequel: Sequel,
    ended: Ended,
    before: ReadonlyMap<string, string>,
    whenLooked: () => void = () => undefined,
  ): Promise<void> {
    const undisturbed = await this.undisturbed(verb);
    const state = snapshot(this.#repository, { mayBeMissing: true });
    if (verb.name !== RESET || ended.status === 0) {
      if (state.has('meta.json')) await this.#look(trial, 'afterwards', ended.signal !== null);
      const now = references(state);
      for (const name of new Set([...before.keys(), ...undisturbed.references.keys()])) {
        const wanted = undisturbed.references.get(name);
        const target = now.get(name);
        if (target === wanted || (ended.status !== 0 && target === before.get(name))) continue;
        trial.fail(`afterwards ${name} is ${target ?? 'gone'}, not ${wanted ?? 'gone'}`);
      }
    }
    whenLooked();
    for (const step of sequel) {
      const next = await runCommand(this.#repository, this.#command(verb, step));
      const isRight = next.status === 0 || (step === 'again' && verb.doneAlready?.test(next.stderr));
      if (!isRight) trial.fail(`then ${step}: ${howItEnded(next)}`);
    }
    await this.#look(trial, `after ${sequel.join(', ')}`, true);
    ageLeftovers(this.#repository);
    const gc = await runCommand(this.#repository, { args: ['gc'] });
    if (gc.status !== 0) trial.fail(`gc at the end: ${howItEnded(gc)}`);
    const different = difference(snapshot(this.#repository), await this.#finished(verb, sequel));
    if (different !== undefined) trial.fail(`not as undisturbed: ${different}`);
  }

  async #look(trial: Trial, when: string, wasKilled: boolean): Promise<void> {
    for (const finding of (await findings(this.#repository)).slice(0, 3)) trial.fail(`${when}: ${finding}`);
    const left = strays(snapshot(this.#repository), { wasKilled });
    if (left.length > 0) trial.fail(`${when} there is ${left.slice(0, 3).join(', ')}`);
  }

  async #measure(verb: Verb): Promise<Undisturbed> {
    await this.begin(verb);
    const sizeBefore = size(this.#repository);
    const { milliseconds, stdout } = await mustRun(this.#repository, verb);
    const tags = references(snapshot(this.#repository));
    const growth = size(this.#repository) - sizeBefore;
    await this.begin(verb);
    const report = `${this.#repository}-calls.json`;
    const plan = { folder: this.#repository, kinds: CALL_KINDS, n: 0, action: 'count', report } as const;
    await mustRun(this.#repository, verb, { env: faultEnvironment(plan) });
    const counts = JSON.parse(readFileSync(report, 'utf8')) as Record<string, number>;
    rmSync(report);
    const calls = new Map(CALL_KINDS.map((kind) => [kind, counts[kind] ?? 0]));
    return { milliseconds, stdout, calls, references: tags, growth };
  }

  /** What is there in the end if nothing is disturbed. */
  #finished(verb: Verb, sequel: Sequel): Promise<Snapshot> {
    return memoized(this.#expected, `${verb.name} ${sequel}`, async () => {
      await this.begin(verb);
      await mustRun(this.#repository, verb);
      for (const step of sequel) {
        if (step !== 'again') await mustRun(this.#repository, this.#command(verb, step));
      }
      await mustRun(this.#repository, { args: ['gc'] });
      const found = await findings(this.#repository);
      if (found.length > 0) throw new Error(`${verb.name}, ${sequel}: not sound although undisturbed: ${found[0]}`);
      return snapshot(this.#repository);
    });
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

/** Bytes of all files, as a file system of 4 KiB blocks counts them. */
function size(repository: string): number {
  if (!existsSync(repository)) return 0;
  let total = 0;
  for (const entry of readdirSync(repository, { recursive: true, withFileTypes: true })) {
    total += Math.ceil(lstatSync(join(entry.parentPath, entry.name)).size / 4096) * 4096;
  }
  return total;
}

function memoized<T>(memo: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let value = memo.get(key);
  if (value === undefined) {
    value = make();
    memo.set(key, value);
  }
  return value;
}
