import { spawn } from 'node:child_process';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { outputOf } from '../support/child-output.js';
import { packageRoot, sharedPath } from '../support/paths.js';
import { Random } from '../support/random.js';
import { runStep, workload } from './after-cut.js';
import { mustRun } from './command.js';
import { readReferences } from './repository-state.js';
import type { Campaign, Round, Trial } from './round.js';
import { EXPECTED_FILE, GUEST_SHAPE, GUEST_STEPS } from './secure-guest.js';
import { Verbs } from './verbs.js';

export const secureCuts: Campaign = {
  description: 'the power of a virtual machine with fs-verity is cut while commands run on a secure repository',
  count: 20,
  time: 7200,
  unavailable: () => (virtualMachine() === undefined ? 'COMPOSEFS_TEST_VERITY_VM names no virtual machine' : undefined),
  run,
};

/** The program that runs a command in a virtual machine with fs-verity, and can cut its power. */
function virtualMachine(): string | undefined {
  return process.env['COMPOSEFS_TEST_VERITY_VM'] ?? sharedPath('tools', 'verity-vm');
}

/** Seconds after which a machine hangs. */
const PATIENCE = 900;
/** What the commands need of the checkout. */
const PARTS = ['package.json', 'dist/src', 'dist/lib', 'dist/test', 'dist/bench'];
const PACKAGES = ['@koromix', 'commander', 'smol-toml', 'valibot', '@hpcc-js'];

async function run(round: Round): Promise<void> {
  const { folder, seed } = round.options;
  const base = join(folder, 'base.img');
  await inGuest(base, 'prepare', seed, []);
  const start = performance.now();
  const complete = join(folder, 'complete.img');
  cpSync(base, complete);
  await inGuest(complete, 'work', seed, []);
  const seconds = (performance.now() - start) / 1000;
  const references = await undisturbedReferences(folder, seed);
  await round.trials(async (trial) => {
    const disk = join(folder, 'disk.img');
    cpSync(base, disk);
    await cut(trial, disk, seed, seconds, references);
  });
}

/** The references after each step: those of an insecure repository are the same. */
async function undisturbedReferences(folder: string, seed: number): Promise<ReadonlyMap<string, string>[]> {
  const verbs = await Verbs.make(folder, new Random(seed), GUEST_SHAPE);
  const repository = join(folder, 'repository');
  try {
    await mustRun(repository, { args: ['init', '--insecure'] });
    await mustRun(repository, verbs.pull('b', verbs.other));
    const references = [readReferences(repository)];
    for (const command of workload(verbs, GUEST_STEPS, new Random(seed))) {
      await runStep(repository, command);
      references.push(readReferences(repository));
    }
    return references;
  } finally {
    await verbs.close();
  }
}

async function cut(
  trial: Trial,
  disk: string,
  seed: number,
  seconds: number,
  references: readonly ReadonlyMap<string, string>[],
): Promise<void> {
  // The start of the machine is not counted, but nor is it known how long it takes.
  const killAfter = trial.random.between(1, Math.max(2, Math.round(seconds * 0.8)));
  const output = await inGuest(disk, 'work', seed, ['--kill-after', String(killAfter)]);
  const done = Number(
    /^done ([0-9]+)$/m.exec(output.split('\n').findLast((line) => line.startsWith('done ')) ?? '')?.[1] ?? 0,
  );
  trial.describe(`cut after ${killAfter} s, in step ${done + 1}`);
  trial.count(done === GUEST_STEPS ? 'ended before' : 'cuts');
  const expected = `${disk}.json`;
  const around = {
    before: [...(references[done] ?? [])],
    after: [...(references[done + 1] ?? references[done] ?? [])],
  };
  writeFileSync(expected, JSON.stringify(around));
  const checked = await inGuest(disk, 'check', seed, ['--add', `${expected}:${EXPECTED_FILE}`]);
  for (const [, reason] of checked.matchAll(/^finding (.*)$/gm)) trial.fail(reason ?? '');
  if (!/^checked$/m.test(checked)) trial.fail(`the check did not come to its end: ${checked.slice(-500)}`);
}

/** Runs a part of secure-guest.ts in the machine, and returns what it prints. */
async function inGuest(disk: string, role: string, seed: number, options: readonly string[]): Promise<string> {
  const parts = [...PARTS, ...PACKAGES.map((name) => `node_modules/${name}`)];
  const args = [
    ...['--disk', disk, '--size', '300M', '--timeout', String(PATIENCE)],
    ...parts.flatMap((part) => ['--add', `${join(packageRoot, part)}:/project/${part}`]),
    ...options,
    ...['--', 'node', '/project/dist/test/torture/secure-guest.js', role, String(seed)],
  ];
  const child = spawn(virtualMachine() ?? '', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const { status, stdout, stderr } = await outputOf(child);
  const isExpected = status === 0 || (status === 137 && options.includes('--kill-after'));
  if (!isExpected) throw new Error(`the machine ended with ${status}: ${(stdout + stderr).slice(-800)}`);
  return stdout.replaceAll('\r', '');
}
