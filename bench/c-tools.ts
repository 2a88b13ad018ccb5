import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { cCommand, noCTools } from '../test/support/c-tools.js';
import { sharedPath } from '../test/support/paths.js';
import { largeDump } from './large-dump.js';
import { type Measurement, measure, median } from './measure.js';

/**
 * Times `mkcomposefs --from-file` and `composefs-info dump` beside the C tools, Node's start included:
 *
 *     COMPOSEFS_C_MKCOMPOSEFS='/path/to/mkcomposefs' node dist/bench/c-tools.js [entries] [runs]
 *
 * on the dumpfile of the C test suite's `config.dump` where it is found, and on a generated one of 200,000 entries.
 * Runs of both alternate, so that both have the same share of whatever else the machine does; medians are printed.
 */

const entries = Number(process.argv[2] ?? 200_000);
const runs = Number(process.argv[3] ?? 5);
const hasC = noCTools() === false;
const work = mkdtempSync(join(tmpdir(), 'composefs-bench-'));

function ours(name: string): string[] {
  return [process.execPath, fileURLToPath(new URL(`../bin/${name}.js`, import.meta.url))];
}

function compare(name: string, tool: 'mkcomposefs' | 'composefs-info', args: readonly string[]): void {
  const programs = [ours(tool), ...(hasC ? [cCommand(tool)] : [])];
  const results: Measurement[][] = programs.map(() => []);
  for (let run = 0; run < runs; run++) {
    programs.forEach((program, index) => {
      results[index]?.push(measure([...program, ...args]));
    });
  }
  const [own, theirs] = results.map(median);
  const cells = [name.padEnd(34), ...show(own), ...show(theirs)];
  if (own !== undefined && theirs !== undefined) cells.push((own.wall / theirs.wall).toFixed(2).padStart(6));
  console.log(`| ${cells.join(' | ')} |`);
}

function show(result: Measurement | undefined): string[] {
  if (result === undefined) return [];
  const { wall, cpu, peakMiB } = result;
  return [`${(wall * 1000).toFixed(0)} ms`, `${(cpu * 1000).toFixed(0)} ms`, `${peakMiB.toFixed(0)} MiB`].map((cell) =>
    cell.padStart(8),
  );
}

function compareOn(name: string, dump: string): void {
  const dumpfile = join(work, 'dump');
  const image = join(work, 'image');
  writeFileSync(dumpfile, dump, 'latin1');
  compare(`mkcomposefs --from-file, ${name}`, 'mkcomposefs', ['--from-file', dumpfile, image]);
  compare(`composefs-info dump, ${name}`, 'composefs-info', ['dump', image]);
}

try {
  const start = median(Array.from({ length: runs }, () => measure([process.execPath, '-e', '0'])));
  console.log(`start of Node alone: ${show(start).join(',')}`);
  console.log('| | wall | cpu | memory | C: wall | cpu | memory | ratio |');
  const config = sharedPath('vectors', 'dumpfiles', 'good', 'config.dump.gz');
  if (config !== undefined) compareOn('config.dump', gunzipSync(readFileSync(config)).toString('latin1'));
  compareOn(`${entries} entries`, [...largeDump(entries)].join(''));
} finally {
  rmSync(work, { recursive: true, force: true });
}
