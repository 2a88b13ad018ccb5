import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CAMPAIGNS } from './campaigns.js';
import { type Campaign, Round } from './round.js';

/**
 * Runs a campaign against the built command and library: `npm run torture -- NAME [OPTIONS]`. CONTRIBUTING.md says more.
 *
 * Prints each failure with the way to repeat it, and a line of figures at the end. Exit status 1 if anything failed.
 */
const USAGE = `usage: npm run torture -- CAMPAIGN [OPTIONS]

  --count N     trials
  --seed N      for its random choices [1]
  --time S      seconds after which no further trial begins
  --only WORD   only the kinds whose name contains WORD
  --trial N     only this trial, to repeat a failure
  --keep        leave the working folder, below TMPDIR

${Object.entries(CAMPAIGNS)
  .map(([name, { description, count, time }]) => `  ${name.padEnd(14)} ${description} [${count} trials, ${time} s]`)
  .join('\n')}`;

const NAMESPACE = 'COMPOSEFS_TORTURE_NAMESPACE';

function main(): Promise<number> | number {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      count: { type: 'string' },
      seed: { type: 'string', default: '1' },
      time: { type: 'string' },
      only: { type: 'string' },
      trial: { type: 'string' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const [name, ...rest] = positionals;
  const campaign = name === undefined ? undefined : CAMPAIGNS[name];
  if (values.help || name === undefined || campaign === undefined || rest.length > 0) {
    console.log(USAGE);
    return values.help ? 0 : 2;
  }
  const reason = campaign.unavailable?.();
  if (reason !== undefined) {
    console.log(`${name}: skipped, ${reason}`);
    return 0;
  }
  // Whatever happens to this process, its mounts go with it.
  if (campaign.mounts && process.env[NAMESPACE] === undefined) return inMountNamespace();
  const folder = mkdtempSync(join(tmpdir(), `composefs-oci-torture-${name}-`));
  const round = new Round(
    name,
    {
      count: number(values.count, campaign.count),
      seed: number(values.seed, 1),
      time: number(values.time, campaign.time),
      only: values.only,
      trial: values.trial === undefined ? undefined : number(values.trial, 0),
      folder,
    },
    console.log,
  );
  return run(campaign, round, values.keep);
}

async function run(campaign: Campaign, round: Round, keep: boolean): Promise<number> {
  const { folder } = round.options;
  try {
    await campaign.run(round);
  } finally {
    if (keep) console.log(`left in ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  }
  console.log(round.summary());
  return round.failures === 0 ? 0 : 1;
}

function inMountNamespace(): number {
  const args = ['--mount', '--propagation', 'private', process.execPath, ...process.execArgv];
  const { status } = spawnSync('unshare', [...args, fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, [NAMESPACE]: '1' },
  });
  return status ?? 1;
}

function number(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`not a number: ${text}`);
  return value;
}

process.exit(await main());
