import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { cCommand, noCTools } from '../../test/support/c-tools.js';
import { commandPath, sharedPath } from '../../test/support/paths.js';
import { type Measurement, measure, median } from '../measure.js';
import { cell, markdownTable } from '../table.js';
import { largeDump } from './large-dump.js';

/**
 * Times `mkcomposefs --from-file` and `composefs-info dump` beside the C tools, Node's start included:
 *
 *     COMPOSEFS_C_MKCOMPOSEFS='/path/to/mkcomposefs' node dist/bench/special/c-tools.js [entries] [runs]
 *
 * on the dumpfile of the C test suite's `config.dump` where it is found, and on a generated one of 200,000 entries.
 * Runs of both alternate, so that both have the same share of whatever else the machine does; medians are printed.
 */

const entries = Number(process.argv[2] ?? 200_000);
const runs = Number(process.argv[3] ?? 5);
const lines: string[][] = [['wall s / CPU s / peak MiB', 'ours', 'C', 'ratio']];
const hasC = noCTools() === false;
const work = mkdtempSync(join(tmpdir(), 'composefs-bench-'));

function ours(name: string): string[] {
  return [process.execPath, commandPath(name)];
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
  if (own === undefined) return;
  const cells = theirs === undefined ? [] : [cell(theirs), (own.wall / theirs.wall).toFixed(2)];
  lines.push([name, cell(own), ...cells]);
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
  lines.push(['start of Node alone', cell(start)]);
  const config = sharedPath('vectors', 'dumpfiles', 'good', 'config.dump.gz');
  if (config !== undefined) compareOn('config.dump', gunzipSync(readFileSync(config)).toString('latin1'));
  compareOn(`${entries} entries`, [...largeDump(entries)].join(''));
  console.log(markdownTable(lines));
} finally {
  rmSync(work, { recursive: true, force: true });
}
