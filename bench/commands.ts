import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Measurement, measure, median } from './measure.js';

/**
 * Times the commands on a real image, side by side with the reference's `cfsctl` where `COMPOSEFS_RS_CFSCTL` names it.
 *
 *     COMPOSEFS_BENCH_IMAGES=DIR npm run bench
 *
 * DIR holds OCI layouts; `python` with the tags `gzip` and `zstd` is used. `COMPOSEFS_BENCH_RUNS` (5) sets the number of
 * runs, whose medians are printed. `COMPOSEFS_BENCH_DIR` names where the repositories are made (the temporary directory).
 */

interface Program {
  readonly name: string;
  readonly command: readonly string[];
}

interface Step {
  readonly name: string;
  /** In a repository of its own for each run; else in that of the step before. */
  readonly fresh?: true;
  readonly args: (repo: string) => readonly string[];
}

const runs = Number(process.env['COMPOSEFS_BENCH_RUNS'] ?? 5);
const images = process.env['COMPOSEFS_BENCH_IMAGES'];
const reference = process.env['COMPOSEFS_RS_CFSCTL'];
const workDirectory = mkdtempSync(join(process.env['COMPOSEFS_BENCH_DIR'] ?? tmpdir(), 'composefs-bench-'));

if (images === undefined || !existsSync(join(images, 'python'))) {
  console.error('COMPOSEFS_BENCH_IMAGES must name a folder with the OCI layout `python`');
  process.exit(1);
}

const cfsctl = fileURLToPath(new URL('../bin/cfsctl.js', import.meta.url));
const programs: Program[] = [{ name: 'ours', command: [process.execPath, cfsctl] }];
if (reference !== undefined) programs.push({ name: 'reference', command: [reference] });

/** Makes a repository that replaces the one before; that stays, since ext4 is slow after large deletions. */
function freshRepository(program: Program): string {
  const repo = mkdtempSync(join(workDirectory, `${program.name}-`));
  measure([...program.command, '--repo', repo, 'init', '--insecure']);
  return repo;
}

function pullArguments(tag: string): (repo: string) => string[] {
  return (repo) => ['--repo', repo, 'oci', 'pull', `oci:${images}/python:${tag}`, 'python'];
}

const rootfs = process.env['COMPOSEFS_BENCH_ROOTFS'] ?? '/usr/share';
const steps: Step[] = [
  { name: 'start (--help)', args: () => ['--help'] },
  { name: 'pull zstd, fresh', fresh: true, args: pullArguments('zstd') },
  { name: 'pull gzip, fresh', fresh: true, args: pullArguments('gzip') },
  { name: 'pull gzip, again', args: pullArguments('gzip') },
  { name: 'compute-id', args: (repo) => ['--repo', repo, 'oci', 'compute-id', 'python'] },
  { name: 'dump', args: (repo) => ['--repo', repo, 'oci', 'dump', 'python'] },
  { name: 'fsck', args: (repo) => ['--repo', repo, 'fsck'] },
  { name: 'gc --dry-run', args: (repo) => ['--repo', repo, 'gc', '--dry-run'] },
  {
    name: `create-image ${rootfs}`,
    fresh: true,
    args: (repo) => ['--repo', repo, 'create-image', '--no-propagate-usr-to-root', rootfs],
  },
];

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell, index) => (index === 0 ? cell.padEnd(28) : cell.padStart(10))).join(' | ')} |`;
}

function cells(result: Measurement): string[] {
  return [`${result.wall.toFixed(2)} s`, `${result.cpu.toFixed(2)} s`, `${result.peakMiB.toFixed(0)} MiB`];
}

const header = programs.flatMap(({ name }) => [`${name} wall`, 'cpu', 'peak']);
if (programs.length > 1) header.push('ratio');
console.log(row(['', ...header]));
console.log(row(['---', ...header.map(() => '---:')]));
try {
  const repositories = new Map<Program, string>();
  for (const step of steps) {
    const measurements = programs.map((): Measurement[] => []);
    // The programs take turns, so that both have the same share of whatever else the machine does.
    for (let run = 0; run < runs; run++) {
      for (const [index, program] of programs.entries()) {
        if (step.fresh) repositories.set(program, freshRepository(program));
        const repo = repositories.get(program) ?? '';
        measurements[index]?.push(measure([...program.command, ...step.args(repo)]));
      }
    }
    const results = measurements.map(median);
    const [ours, theirs] = results;
    const ratio = ours !== undefined && theirs !== undefined ? [(ours.wall / theirs.wall).toFixed(2)] : [];
    console.log(row([step.name, ...results.flatMap(cells), ...ratio]));
  }
} finally {
  rmSync(workDirectory, { recursive: true, force: true });
}
