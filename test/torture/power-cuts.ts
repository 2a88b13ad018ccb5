import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  availableFileSystems,
  cannotMount,
  damage,
  type FileSystem,
  makeDisk,
  mountDisk,
  unmount,
} from '../support/file-systems.js';
import { Random } from '../support/random.js';
import { reasonsAfterCut, runStep, startSyncing, workload } from './after-cut.js';
import { type BlockLog, CACHE_LOSSES, type CacheLoss } from './block-log.js';
import type { Command } from './command.js';
import { copySparse, recordWrites } from './recorded-disk.js';
import { readReferences } from './repository-state.js';
import type { Campaign, Round, Trial } from './round.js';
import { Verbs } from './verbs.js';

export const powerCuts: Campaign = {
  description: 'the power fails at random moments while commands run on ext4, XFS and btrfs',
  count: 600,
  time: 7200,
  mounts: true,
  unavailable: () => {
    if (!existsSync('/dev/fuse')) return 'there is no /dev/fuse';
    return cannotMount() ?? (availableFileSystems().length === 0 ? 'no file system can be made' : undefined);
  },
  run,
};

/** Recording takes as long as some cuts. */
const CUTS_OF_A_RECORDING = 25;
const STEPS = 9;

/** What was written while commands ran, and which references there were after each. */
interface Recording {
  readonly number: number;
  readonly log: BlockLog;
  /** The disk before the first command. */
  readonly base: string;
  readonly steps: readonly Command[];
  /** After so many steps. */
  readonly references: readonly ReadonlyMap<string, string>[];
}

async function run(round: Round): Promise<void> {
  const fileSystems = availableFileSystems().filter(({ name }) => round.wants(name));
  const verbs = await Verbs.make(round.options.folder, new Random(round.options.seed));
  try {
    const cutters = fileSystems.map((fileSystem) => new Cutter(round, verbs, fileSystem));
    await round.trials(async (trial) => {
      const cutter = cutters[trial.index % cutters.length];
      await cutter?.try(trial, Math.floor(trial.index / cutters.length / CUTS_OF_A_RECORDING));
    });
  } finally {
    await verbs.close();
  }
}

/** Cuts the power of one file system. */
class Cutter {
  readonly #verbs: Verbs;
  readonly #fileSystem: FileSystem;
  readonly #seed: number;
  readonly #folder: string;
  readonly #mountPoint: string;
  readonly #repository: string;
  #recording: Recording | undefined;

  constructor(round: Round, verbs: Verbs, fileSystem: FileSystem) {
    this.#verbs = verbs;
    this.#fileSystem = fileSystem;
    this.#seed = round.options.seed;
    this.#folder = join(round.options.folder, fileSystem.name);
    this.#mountPoint = join(this.#folder, 'mount');
    this.#repository = join(this.#mountPoint, 'repository');
    mkdirSync(this.#mountPoint, { recursive: true });
  }

  async try(trial: Trial, recordingNumber: number): Promise<void> {
    if (this.#recording?.number !== recordingNumber) this.#recording = await this.#record(recordingNumber);
    const { random } = trial;
    const { log, steps } = this.#recording;
    const cut = random.between(log.start + 1, log.length);
    const loss = random.pick(CACHE_LOSSES);
    const done = log.markBefore(cut);
    const during = steps[done]?.args.slice(0, 2).join(' ') ?? 'nothing';
    const { name } = this.#fileSystem;
    trial.describe(`${name} cut at ${cut} of ${log.length} (${loss}), in step ${done + 1}, ${during}`);
    const seed = random.below(2 ** 31);
    try {
      this.#replay(this.#recording, cut, loss, seed);
    } catch (error) {
      trial.count(`${name} unmountable`);
      trial.fail(`the file system cannot be mounted: ${error}`);
      return;
    }
    const reasons = await this.#check(trial, this.#recording, done).finally(() => unmount(this.#mountPoint));
    if (reasons.length > 0) {
      // What a file system loses that is broken itself, no program could keep.
      this.#replay(this.#recording, cut, loss, seed);
      unmount(this.#mountPoint);
      const broken = damage(this.#cutDisk, this.#fileSystem);
      if (broken !== undefined) {
        trial.count(`${name} left out, since the file system itself is damaged`);
        return;
      }
    }
    trial.count(`${name} cuts`);
    for (const reason of reasons) trial.fail(reason);
  }

  get #cutDisk(): string {
    return join(this.#folder, 'cut.img');
  }

  /** Mounts what the cut left, with the journal replayed. */
  #replay({ base, log }: Recording, cut: number, loss: CacheLoss, seed: number): void {
    copySparse(base, this.#cutDisk);
    log.replay(this.#cutDisk, cut, loss, new Random(seed));
    mountDisk(this.#cutDisk, this.#mountPoint);
  }

  async #check(trial: Trial, { references }: Recording, done: number): Promise<string[]> {
    const { name } = this.#fileSystem;
    const { empty, zeros } = objectsWithoutContent(this.#repository);
    if (empty) trial.count(`${name} with empty objects`);
    if (zeros) trial.count(`${name} with objects of zeros`);
    const before = references[done] ?? new Map();
    const after = references[done + 1] ?? before;
    return await reasonsAfterCut(this.#repository, this.#verbs, { before, after }, trial.random);
  }

  /** Runs commands on a device that writes down what reaches it, with another process that syncs. */
  async #record(number: number): Promise<Recording> {
    const base = await this.#makeBase();
    const random = new Random(this.#seed * 1009 + number);
    const steps = workload(this.#verbs, STEPS, random);
    const references: ReadonlyMap<string, string>[] = [];
    const log = await recordWrites(base, this.#folder, this.#mountPoint, async (mark) => {
      const syncing = startSyncing(join(this.#mountPoint, 'other'));
      try {
        for (const [index, command] of steps.entries()) {
          references.push(readReferences(this.#repository));
          mark(index);
          await runStep(this.#repository, command);
        }
        references.push(readReferences(this.#repository));
        mark(steps.length);
        await sleep(random.below(300));
      } finally {
        syncing.kill('SIGKILL');
        await once(syncing, 'close');
      }
    });
    return { number, base, log, steps, references };
  }

  async #makeBase(): Promise<string> {
    const base = join(this.#folder, 'base.img');
    if (existsSync(base)) return base;
    makeDisk(base, this.#fileSystem);
    mountDisk(base, this.#mountPoint);
    try {
      cpSync(await this.#verbs.start('one'), this.#repository, { recursive: true, verbatimSymlinks: true });
    } finally {
      unmount(this.#mountPoint);
    }
    return base;
  }
}

/** What a file system makes of a file of which it kept the name, but not the content: nothing, or zeros. */
function objectsWithoutContent(repository: string): { empty: boolean; zeros: boolean } {
  const result = { empty: false, zeros: false };
  for (const entry of readdirSync(join(repository, 'objects'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const content = readFileSync(join(entry.parentPath, entry.name));
    if (content.length === 0) result.empty = true;
    // No object of these images is of zeros.
    else if (content.every((byte) => byte === 0)) result.zeros = true;
  }
  return result;
}
