import { mkdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import {
  availableFileSystems,
  cannotMount,
  type FileSystem,
  makeDisk,
  mountDisk,
  runTool,
  unmount,
} from '../support/file-systems.js';
import { Random } from '../support/random.js';
import { Aftermath, type Undisturbed } from './aftermath.js';
import { type Ended, howItEnded, runCommand } from './command.js';
import type { Campaign, Round, Trial } from './round.js';
import { type Verb, Verbs } from './verbs.js';

export const fullDisks: Campaign = {
  description: 'the disk is full at any point of a command; then there is room again, and others run',
  count: 200,
  time: 3600,
  mounts: true,
  unavailable: cannotMount,
  run,
};

/** A disk with a repository on it, and room that can be taken and given. */
interface Disk {
  readonly name: string;
  mount(directory: string): void;
  /** Leaves so many bytes free. */
  fill(directory: string, free: number): void;
  giveRoom(directory: string): void;
}

async function run(round: Round): Promise<void> {
  const { folder, seed } = round.options;
  const verbs = await Verbs.make(folder, new Random(seed));
  const directory = join(folder, 'disk');
  mkdirSync(directory);
  const repository = join(directory, 'repository');
  const aftermath = new Aftermath(verbs, repository);
  const ext4 = availableFileSystems().find(({ name }) => name === 'ext4');
  const disks = [tmpfs, ...(ext4 === undefined ? [] : [fileDisk(join(folder, 'disk.img'), ext4)])];
  const all = disks
    .flatMap((disk) => verbs.all().map((verb) => ({ disk, verb })))
    .filter(({ disk, verb }) => round.wants(`${disk.name} ${verb.name}`));
  try {
    await round.trials(async (trial) => {
      const { disk, verb } = all[trial.index % all.length] ?? trial.random.pick(all);
      const sequel = aftermath.chooseSequel(verb, trial.random);
      disk.mount(directory);
      try {
        await aftermath.prepare(verb, sequel);
        const before = await aftermath.begin(verb);
        const ended = await disturb(trial, disk, directory, verb, await aftermath.undisturbed(verb));
        await aftermath.check(trial, verb, sequel, ended, before, () => disk.giveRoom(directory));
      } finally {
        unmount(directory);
      }
    });
  } finally {
    await verbs.close();
  }
}

async function disturb(
  trial: Trial,
  disk: Disk,
  directory: string,
  verb: Verb,
  { growth }: Undisturbed,
): Promise<Ended> {
  const free = trial.random.below(Math.max(32 * 1024, growth * 1.15)) & ~4095;
  trial.describe(`${verb.name} with ${free / 1024} KiB free on ${disk.name}`);
  disk.fill(directory, free);
  const ended = await runCommand(join(directory, 'repository'), verb);
  if (ended.status === 0) trial.count('survived');
  else if (ended.status !== 1) trial.fail(`it ended otherwise: ${howItEnded(ended)}`);
  else {
    trial.count('refused');
    if (!/ENOSPC|no space left/i.test(ended.stderr)) trial.fail(`the message does not say why: ${howItEnded(ended)}`);
  }
  return ended;
}

const ROOM = '200M';

const tmpfs: Disk = {
  name: 'tmpfs',
  mount: (directory) => runTool('mount', ['-t', 'tmpfs', '-o', `size=${ROOM}`, 'tmpfs', directory]),
  fill: (directory, free) => {
    const { blocks, bfree, bsize } = statfsSync(directory);
    resize(directory, String((blocks - bfree) * bsize + free));
  },
  giveRoom: (directory) => resize(directory, ROOM),
};

function resize(directory: string, size: string): void {
  runTool('mount', ['-o', `remount,size=${size}`, directory]);
}

function fileDisk(path: string, fileSystem: FileSystem): Disk {
  return {
    name: fileSystem.name,
    mount: (directory) => {
      makeDisk(path, fileSystem);
      mountDisk(path, directory);
    },
    fill: (directory, free) => {
      // What was deleted comes back when the journal has committed.
      runTool('sync', ['-f', directory]);
      const { bavail, bsize } = statfsSync(directory);
      const size = bavail * bsize - free;
      if (size > 0) runTool('fallocate', ['-l', String(size), join(directory, 'fill')]);
    },
    giveRoom: (directory) => rmSync(join(directory, 'fill'), { force: true }),
  };
}
