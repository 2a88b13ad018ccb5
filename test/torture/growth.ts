import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Measurement, measure } from '../../bench/measure.js';
import { CFSCTL } from '../support/cfsctl.js';
import { buildImage, LayoutBuilder } from '../support/oci-fixtures.js';
import { Random } from '../support/random.js';
import { TAR_BLOCK, tarArchive, tarDirectory, tarFile } from '../support/tar-builder.js';
import type { Campaign, Round } from './round.js';

export const growth: Campaign = {
  description: 'images of 1, 2 and 4 times 100,000 files (or --count): processor time and memory grow no faster',
  count: 100_000,
  time: 3600,
  run,
};

const TIMES = [1, 2, 4];
/** How much more than four times as much four times the files may take. */
const TOLERANCE = 1.35;
/** What a command takes that has nothing to do: CPU seconds and MiB. */
const BASE: Pick<Measurement, 'cpu' | 'peakMiB'> = { cpu: 0.3, peakMiB: 80 };

/** What is measured of each size. */
const COMMANDS: readonly (readonly [name: string, args: readonly string[]])[] = [
  ['oci fsck', ['oci', 'fsck']],
  ['oci dump', ['oci', 'dump', 'image']],
  ['gc', ['gc']],
  ['oci pull again', []],
];

async function run(round: Round): Promise<void> {
  const results = new Map<string, Measurement[]>();
  const { count, folder, seed } = round.options;
  for (const times of TIMES) {
    const layout = join(folder, 'layout');
    const repository = join(folder, 'repository');
    for (const path of [layout, repository]) rmSync(path, { recursive: true, force: true });
    new LayoutBuilder()
      .addImage(buildImage([layerOf(count * times, new Random(seed))]), { tag: 'latest' })
      .write(layout);
    const cfsctl = [process.execPath, CFSCTL, '--repo', repository];
    measure([...cfsctl, 'init', '--insecure']);
    const pull = ['oci', 'pull', '--quiet', `oci:${layout}:latest`, 'image'];
    for (const [name, args] of [['oci pull', pull], ...COMMANDS] as const) {
      const measured = measure([...cfsctl, ...(args.length === 0 ? pull : args)]);
      results.set(name, [...(results.get(name) ?? []), measured]);
      round.count('commands');
    }
  }
  for (const [name, measurements] of results) judge(round, name, measurements);
}

function judge(round: Round, name: string, measurements: readonly Measurement[]): void {
  const [first, last] = [measurements[0], measurements.at(-1)];
  if (first === undefined || last === undefined) return;
  const factor = TIMES.at(-1) ?? 1;
  const show = (value: number): string => value.toFixed(1);
  round.count(`s CPU of ${name} (${measurements.map(({ cpu }) => show(cpu)).join(', ')})`, Math.round(last.cpu));
  round.count(
    `MiB of ${name} (${measurements.map(({ peakMiB }) => Math.round(peakMiB)).join(', ')})`,
    Math.round(last.peakMiB),
  );
  for (const quantity of ['cpu', 'peakMiB'] as const) {
    const limit = BASE[quantity] + Math.max(first[quantity], BASE[quantity]) * factor * TOLERANCE;
    if (last[quantity] > limit)
      round.fail(
        0,
        name,
        `${quantity} grows faster than the files: ${measurements.map((each) => show(each[quantity])).join(', ')}`,
      );
  }
}

/** Half of the files are inline, half are objects; 300 in a directory. */
function layerOf(files: number, random: Random): Buffer {
  const parts: Buffer[] = [tarDirectory('usr/')];
  const noise = random.bytes(4096);
  for (let i = 0; i < files; i++) {
    if (i % 300 === 0) parts.push(tarDirectory(`usr/d${i / 300}/`));
    const text = `${i} `.repeat(20);
    parts.push(
      tarFile(
        `usr/d${Math.floor(i / 300)}/f${i}`,
        i % 2 === 0 ? text.slice(0, 40) : text + noise.toString('latin1', 0, i % 500),
      ),
    );
  }
  return tarArchive(parts, TAR_BLOCK);
}
