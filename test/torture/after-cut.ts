import { type ChildProcess, spawn } from 'node:child_process';
import type { Random } from '../support/random.js';
import { type Command, howItEnded, runCommand } from './command.js';
import { readReferences } from './repository-state.js';
import { findings, taggedImageFindings } from './soundness.js';
import type { Verbs } from './verbs.js';

/** Commands during which the power may fail. The first make something to lose; the others are any. */
export function workload(verbs: Verbs, steps: number, random: Random): Command[] {
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
  return [...first, ...Array.from({ length: steps - first.length }, () => random.pick(any)())];
}

/** Runs a command of a {@link workload}: an untag of what is gone, or a tag of what a gc has taken, may fail. */
export async function runStep(repository: string, command: Command): Promise<void> {
  const ended = await runCommand(repository, command);
  if (ended.status !== 0 && !/not found|no such/i.test(ended.stderr)) throw new Error(howItEnded(ended));
}

/** Another process that makes a file system commit what is in its journal, as databases do. */
export function startSyncing(file: string): ChildProcess {
  const program = `
    const { openSync, writeSync, fsyncSync } = require('node:fs');
    const fd = openSync(process.argv[1], 'w');
    setInterval(() => { writeSync(fd, 'x', 0); fsyncSync(fd); }, 30);`;
  return spawn(process.execPath, ['-e', program, file], { stdio: 'ignore' });
}

/** The references before and after the command that the cut has hit. */
export interface ReferencesAround {
  readonly before: ReadonlyMap<string, string>;
  readonly after: ReadonlyMap<string, string>;
}

/**
 * Looks at a repository after the power was cut and runs further commands: what a command that had ended has named must
 * be there and whole, and the next commands must come to a sound repository.
 *
 * @returns what is wrong, each in a line.
 */
export async function reasonsAfterCut(
  repository: string,
  verbs: Verbs,
  { before, after }: ReferencesAround,
  random: Random,
): Promise<string[]> {
  const reasons: string[] = [];
  const now = readReferences(repository);
  for (const name of new Set([...now.keys(), ...before.keys()])) {
    const target = now.get(name);
    if (target === before.get(name) || target === after.get(name)) continue;
    reasons.push(`${name} is ${target ?? 'gone'}, but was ${before.get(name) ?? 'not there'}`);
  }
  const look = async (when: string, looking: Promise<string[]>): Promise<void> => {
    for (const finding of (await looking).slice(0, 3)) reasons.push(`${when}: ${finding}`);
  };
  const step = async (name: string, command: Command): Promise<void> => {
    const ended = await runCommand(repository, command);
    if (ended.status !== 0) reasons.push(`then ${name}: ${howItEnded(ended)}`);
  };
  const pulls = async (): Promise<void> => {
    await step('pull', verbs.pull('next'));
    await step('pull of the other image', verbs.pull('next-other', verbs.other));
    await step('import-layer', verbs.importLayer('next-layer'));
    await step('create-image', { args: ['create-image', verbs.tree, 'next-made'] });
  };
  await look('after the cut', taggedImageFindings(repository));
  if (random.chance(0.5)) {
    await step('gc', { args: ['gc'] });
    await look('after a gc', findings(repository));
    await pulls();
  } else {
    await pulls();
    await look('after the next pulls', taggedImageFindings(repository));
    await step('gc', { args: ['gc'] });
  }
  await look('in the end', findings(repository));
  return reasons;
}
