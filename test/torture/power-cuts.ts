import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { BlockLog, CACHE_LOSSES, type CacheLoss, writeMark } from './block-log.js';
import { type Command, howItEnded, runCommand } from './command.js';
import {
  availableFileSystems,
  cannotMount,
  damage,
  type FileSystem,
  makeDisk,
  mountDisk,
  runTool,
  unmount,
} from './file-systems.js';
import { Random } from './random.js';
import { readReferences } from './repository-state.js';
import type { Campaign, Round, Trial } from './round.js';
import { findings, taggedImageFindings } from './soundness.js';
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
    const reasons: string[] = [];
    const { name } = this.#fileSystem;
    const { empty, zeros } = objectsWithoutContent(this.#repository);
    if (empty) trial.count(`${name} with empty objects`);
    if (zeros) trial.count(`${name} with objects of zeros`);
    const now = readReferences(this.#repository);
    const [before, after] = [references[done], references[done + 1] ?? references[done]];
    for (const ref of new Set([...now.keys(), ...(before?.keys() ?? [])])) {
      const target = now.get(ref);
      if (target === before?.get(ref) || target === after?.get(ref)) continue;
      reasons.push(`${ref} is ${target ?? 'gone'}, but was ${before?.get(ref) ?? 'not there'}`);
    }
    const look = async (when: string, looking: Promise<string[]>): Promise<void> => {
      for (const finding of (await looking).slice(0, 3)) reasons.push(`${when}: ${finding}`);
    };
    const step = async (name: string, command: Command): Promise<void> => {
      const ended = await runCommand(this.#repository, command);
      if (ended.status !== 0) reasons.push(`then ${name}: ${howItEnded(ended)}`);
    };
    const pulls = async (): Promise<void> => {
      await step('pull', this.#verbs.pull('next'));
      await step('pull of the other image', this.#verbs.pull('next-other', this.#verbs.other));
      await step('import-layer', this.#verbs.importLayer('next-layer'));
    };
    await look('after the cut', taggedImageFindings(this.#repository));
    if (trial.random.chance(0.5)) {
      await step('gc', { args: ['gc'] });
      await look('after a gc', findings(this.#repository));
      await pulls();
    } else {
      await pulls();
      await look('after the next pulls', taggedImageFindings(this.#repository));
      await step('gc', { args: ['gc'] });
    }
    await look('in the end', findings(this.#repository));
    return reasons;
  }

  /** Runs commands on a device that writes down what reaches it, with another process that syncs. */
  async #record(number: number): Promise<Recording> {
    const base = await this.#makeBase();
    const random = new Random(this.#seed * 1009 + number);
    const [disk, logFile, device] = ['disk.img', 'log', 'device'].map((name) => join(this.#folder, name));
    if (disk === undefined || logFile === undefined || device === undefined) throw new Error('no paths');
    for (const path of [disk, logFile]) rmSync(path, { force: true });
    mkdirSync(device, { recursive: true });
    copySparse(base, disk);
    const server = await startServer(disk, logFile, device);
    const steps = this.#steps(random);
    const references: ReadonlyMap<string, string>[] = [];
    try {
      mountDisk(join(device, 'disk'), this.#mountPoint);
      const syncing = startSyncing(join(this.#mountPoint, 'other'));
      try {
        for (const [index, command] of steps.entries()) {
          references.push(readReferences(this.#repository));
          writeMark(logFile, index);
          const ended = await runCommand(this.#repository, command);
          // A tag that is gone already, or an image that a gc has taken.
          if (ended.status !== 0 && !/not found|no such/i.test(ended.stderr)) throw new Error(howItEnded(ended));
        }
        references.push(readReferences(this.#repository));
        writeMark(logFile, steps.length);
        await sleep(random.below(300));
      } finally {
        syncing.kill('SIGKILL');
        await once(syncing, 'close');
        unmount(this.#mountPoint);
      }
    } finally {
      unmount(device);
      await once(server, 'close');
    }
    rmSync(disk);
    return { number, base, log: new BlockLog(logFile), steps, references };
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

  /** Pulls first, or there is nothing to lose; then anything. */
  #steps(random: Random): Command[] {
    const verbs = this.#verbs;
    const digest = verbs.image.image.manifest.descriptor.digest;
    const other = verbs.other.image.manifest.descriptor.digest;
    const any: readonly (() => Command)[] = [
      () => verbs.pull('a'),
      () => verbs.pull(`t${random.below(5)}`),
      () => verbs.pull('p', verbs.plain),
      () => verbs.importLayer(`layer${random.below(3)}`),
      () => ({ args: ['create-image', verbs.tree, `made${random.below(3)}`] }),
      () => ({ args: ['oci', 'tag', random.pick([digest, other]), random.pick(['a', 'b', 'c'])] }),
      () => ({ args: ['oci', 'untag', random.pick(['a', 'b'])] }),
      () => ({ args: ['gc'] }),
    ];
    const first = [verbs.pull('a'), { args: ['oci', 'tag', digest, 'keep'] }];
    return [...first, ...Array.from({ length: STEPS - first.length }, () => random.pick(any)())];
  }
}

async function startServer(disk: string, log: string, directory: string): Promise<ChildProcess> {
  const program = fileURLToPath(new URL('./block-device.js', import.meta.url));
  const args = [program, disk, log, directory, String(statSync(disk).size)];
  const server = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  await Promise.race([
    once(server.stdout, 'data'),
    once(server, 'close').then(([status]) => Promise.reject(new Error(`the block device ended: ${status}`))),
  ]);
  return server;
}

/** Another process that makes a file system commit what is in its journal, as databases do. */
function startSyncing(file: string): ChildProcess {
  const program = `
    const { openSync, writeSync, fsyncSync } = require('node:fs');
    const fd = openSync(process.argv[1], 'w');
    setInterval(() => { writeSync(fd, 'x', 0); fsyncSync(fd); }, 30);`;
  return spawn(process.execPath, ['-e', program, file], { stdio: 'ignore' });
}

function copySparse(from: string, to: string): void {
  runTool('cp', ['--sparse=always', '--reflink=auto', from, to]);
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
