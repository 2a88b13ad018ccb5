import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Random } from '../support/random.js';
import { reasonsAfterCut, runStep, startSyncing, workload } from './after-cut.js';
import { mustRun } from './command.js';
import { Verbs } from './verbs.js';

/**
 * What runs in the virtual machine of the campaign `secure-cuts`: `node secure-guest.js ROLE SEED`, in a directory on a
 * disk with fs-verity, which holds the repository.
 *
 * - `prepare` makes the repository; `work` runs the commands during which the power is cut, and prints `done N` after
 *   each; `check` looks at what is left and prints each finding, and `checked` at the end.
 */

/** Small: everything is emulated. */
export const GUEST_SHAPE = { layers: 2, files: 16, maxSize: 20_000 } as const;
export const GUEST_STEPS = 6;
/** Where the check finds what references there should be. */
export const EXPECTED_FILE = '/expected.json';

const REPOSITORY = '/data/repository';

async function main(role: string, seed: number): Promise<void> {
  const verbs = await Verbs.make('/tmp', new Random(seed), GUEST_SHAPE);
  const random = new Random(seed);
  if (role === 'prepare') {
    await mustRun(REPOSITORY, { args: ['init'] });
    await mustRun(REPOSITORY, verbs.pull('b', verbs.other));
  } else if (role === 'work') {
    const syncing = startSyncing('/data/other');
    for (const [index, command] of workload(verbs, GUEST_STEPS, random).entries()) {
      await runStep(REPOSITORY, command);
      console.log(`done ${index + 1}`);
    }
    syncing.kill('SIGKILL');
  } else {
    const { before, after } = JSON.parse(readFileSync(EXPECTED_FILE, 'utf8')) as Record<
      'before' | 'after',
      [string, string][]
    >;
    const around = { before: new Map(before), after: new Map(after) };
    for (const reason of await reasonsAfterCut(REPOSITORY, verbs, around, random)) console.log(`finding ${reason}`);
    console.log('checked');
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [role = '', seed = ''] = process.argv.slice(2);
  await main(role, Number(seed));
  process.exit(0);
}
