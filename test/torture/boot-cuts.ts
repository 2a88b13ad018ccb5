import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { removeStaleBootEntries } from '../../src/boot/write/stale-entries.js';
import { boots, image, write } from '../boot/write/entry-support.js';
import {
  availableFileSystems,
  cannotMount,
  type FileSystem,
  makeDisk,
  mountDisk,
  unmount,
} from '../support/file-systems.js';
import { Random } from '../support/random.js';
import { type BlockLog, CACHE_LOSSES } from './block-log.js';
import { copySparse, recordWrites } from './recorded-disk.js';
import type { Campaign, Round, Trial } from './round.js';

export const bootCuts: Campaign = {
  description: 'the power fails while boot entries are written, replaced and removed',
  count: 600,
  time: 3600,
  mounts: true,
  unavailable: () => {
    if (!existsSync('/dev/fuse')) return 'there is no /dev/fuse';
    return cannotMount() ?? (availableFileSystems().length === 0 ? 'no file system can be made' : undefined);
  },
  run,
};

const CUTS_OF_A_RECORDING = 50;
const STEPS = 12;
const ENTRIES = ['first', 'second'] as const;

/** The images that the entries boot. */
type Booted = Readonly<Record<(typeof ENTRIES)[number], string | undefined>>;

interface Recording {
  readonly number: number;
  readonly log: BlockLog;
  /** Before each step, and after the last. */
  readonly states: readonly Booted[];
}

async function run(round: Round): Promise<void> {
  const cutters = availableFileSystems()
    .filter(({ name }) => round.wants(name))
    .map((fileSystem) => new Cutter(round, fileSystem));
  await round.trials(async (trial) => {
    await cutters[trial.index % cutters.length]?.try(
      trial,
      Math.floor(trial.index / cutters.length / CUTS_OF_A_RECORDING),
    );
  });
}

class Cutter {
  readonly #name: string;
  readonly #seed: number;
  readonly #folder: string;
  readonly #mountPoint: string;
  readonly #base: string;
  #recording: Recording | undefined;

  constructor(round: Round, fileSystem: FileSystem) {
    this.#name = fileSystem.name;
    this.#seed = round.options.seed;
    this.#folder = join(round.options.folder, fileSystem.name);
    this.#mountPoint = join(this.#folder, 'mount');
    this.#base = join(this.#folder, 'base.img');
    mkdirSync(this.#mountPoint, { recursive: true });
    makeDisk(this.#base, fileSystem);
  }

  async try(trial: Trial, recordingNumber: number): Promise<void> {
    if (this.#recording?.number !== recordingNumber) this.#recording = await this.#record(recordingNumber);
    const { log, states } = this.#recording;
    const cut = trial.random.between(log.start + 1, log.length);
    const loss = trial.random.pick(CACHE_LOSSES);
    const step = log.markBefore(cut);
    trial.describe(`${this.#name} cut at ${cut} of ${log.length} (${loss}), in step ${step + 1}`);
    const disk = join(this.#folder, 'cut.img');
    copySparse(this.#base, disk);
    log.replay(disk, cut, loss, new Random(trial.random.below(2 ** 31)));
    mountDisk(disk, this.#mountPoint);
    try {
      const [before, after] = [states[step], states[step + 1] ?? states[step]];
      for (const entry of ENTRIES) {
        const found = boots(this.#mountPoint, entry);
        if (found !== before?.[entry] && found !== after?.[entry]) {
          trial.fail(`${entry} boots ${found}, and neither ${before?.[entry]} nor ${after?.[entry]}`);
        }
        trial.count(found === undefined ? 'without entry' : 'entries that boot');
      }
      write(this.#mountPoint, '0', image('0'), { entryId: 'first' });
      if (boots(this.#mountPoint, 'first') !== '0') trial.fail('the next entry is not written');
    } catch (error) {
      trial.fail(`${error}`);
    } finally {
      unmount(this.#mountPoint);
    }
    trial.count(`${this.#name} cuts`);
  }

  async #record(number: number): Promise<Recording> {
    const random = new Random(this.#seed * 1009 + number);
    const states: Booted[] = [{ first: undefined, second: undefined }];
    const log = await recordWrites(this.#base, this.#folder, this.#mountPoint, (mark) => {
      for (let step = 0; step < STEPS; step++) {
        const entry = random.pick(ENTRIES);
        const current = states.at(-1);
        mark(step);
        if (random.chance(0.2)) {
          const gone = current?.[entry];
          removeStaleBootEntries(this.#mountPoint, ({ digest }) => digest.charAt(0) !== gone);
          states.push({ first: undefined, second: undefined, ...current, [entry]: undefined });
        } else {
          // No two steps write the same image.
          const digit = (step + 1).toString(16);
          write(this.#mountPoint, digit, image(digit), { entryId: entry });
          states.push({ first: undefined, second: undefined, ...current, [entry]: digit });
        }
      }
      mark(STEPS);
    });
    return { number, log, states };
  }
}
