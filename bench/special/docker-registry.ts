import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandPath } from '../../test/support/paths.js';
import { findInPath, runProgram } from '../../test/support/programs.js';
import { startDockerRegistry } from '../../test/support/servers.js';
import { type Measurement, measure, median } from '../measure.js';
import { cell, markdownTable } from '../table.js';

/**
 * Times pulls of a real image from Debian's `docker-registry` over loopback HTTP: by `cfsctl`, by `skopeo copy`, and by
 * the reference's `cfsctl` (with skopeo) where `COMPOSEFS_RS_CFSCTL` names it; and by `cfsctl` from a layout, without a
 * registry. The programs take turns.
 *
 *     COMPOSEFS_TEST_IMAGES=DIR node dist/bench/special/docker-registry.js
 *
 * DIR holds OCI layouts; `python` with the tag `gzip` is used, or what `COMPOSEFS_BENCH_IMAGE` (`NAME:TAG`) names.
 * `COMPOSEFS_BENCH_RUNS` (5) sets the number of runs, whose medians are printed; `COMPOSEFS_BENCH_DIR` where the files go.
 */

const runs = Number(process.env['COMPOSEFS_BENCH_RUNS'] ?? 5);
const images = process.env['COMPOSEFS_TEST_IMAGES'] ?? '';
const [name = '', tag = ''] = (process.env['COMPOSEFS_BENCH_IMAGE'] ?? 'python:gzip').split(':');
const reference = process.env['COMPOSEFS_RS_CFSCTL'];
const layout = join(images, name);

for (const program of ['skopeo', 'docker-registry']) {
  if (findInPath(program) === undefined) fail(`${program} is not installed`);
}
if (!existsSync(join(layout, 'index.json')))
  fail(`COMPOSEFS_TEST_IMAGES must name a folder with the OCI layout ${name}`);

function fail(why: string): never {
  console.error(why);
  process.exit(1);
}

interface Contestant {
  readonly name: string;
  /** Runs before each measured run, unmeasured. */
  readonly prepare: (directory: string) => void;
  readonly command: (directory: string) => readonly string[];
}

const cfsctl = [process.execPath, commandPath('cfsctl')];
const work = mkdtempSync(join(process.env['COMPOSEFS_BENCH_DIR'] ?? tmpdir(), 'composefs-bench-'));

function freshRepository(program: readonly string[]): (directory: string) => void {
  return (directory) => void measure([...program, '--repo', directory, 'init', '--insecure']);
}

/** One home directory with the configuration of all programs. */
function configure(host: string): void {
  const containers = join(work, 'home', '.config', 'containers');
  mkdirSync(containers, { recursive: true });
  writeFileSync(join(containers, 'registries.conf'), `[[registry]]\nlocation = "${host}"\ninsecure = true\n`);
  writeFileSync(join(containers, 'policy.json'), '{"default":[{"type":"insecureAcceptAnything"}]}');
  process.env['HOME'] = join(work, 'home');
}

function contestants(image: string): Contestant[] {
  const pull = (program: readonly string[], source: string) => (directory: string) => [
    ...program,
    '--repo',
    directory,
    'oci',
    'pull',
    source,
    'image',
  ];
  return [
    { name: 'ours, docker://', prepare: freshRepository(cfsctl), command: pull(cfsctl, image) },
    { name: 'ours, oci:', prepare: freshRepository(cfsctl), command: pull(cfsctl, `oci:${layout}:${tag}`) },
    {
      name: 'skopeo copy to oci:',
      prepare: () => undefined,
      command: (directory) => ['skopeo', 'copy', '-q', image, `oci:${directory}:image`],
    },
    ...(reference === undefined
      ? []
      : [
          {
            name: 'reference, docker://',
            prepare: freshRepository([reference]),
            command: pull([reference], image),
          },
        ]),
  ];
}

const registry = await startDockerRegistry(join(work, 'registry'));
try {
  configure(registry.host);
  const image = `docker://${registry.host}/bench/${name}:${tag}`;
  runProgram('skopeo', ['copy', '-q', `oci:${layout}:${tag}`, image]);
  const entries = contestants(image).map((contestant) => ({ contestant, measurements: [] as Measurement[] }));
  let targets = 0;
  for (let run = 0; run < runs; run++) {
    for (const { contestant, measurements } of entries) {
      // Deleted in the end: ext4 is slow after large deletions.
      const directory = join(work, `target-${++targets}`);
      contestant.prepare(directory);
      measurements.push(measure(contestant.command(directory)));
    }
  }
  const results = entries.map(({ contestant, measurements }) => ({ name: contestant.name, ...median(measurements) }));
  const first = results[0]?.wall ?? Number.NaN;
  console.log(`${name}:${tag}, medians of ${runs}; the ratio is that of our docker:// pull to it\n`);
  const lines = results.map((result) => [result.name, cell(result), (first / result.wall).toFixed(2)]);
  console.log(markdownTable([['', 'wall s / CPU s / peak MiB', 'ratio'], ...lines]));
} finally {
  await registry.stop();
  rmSync(work, { recursive: true, force: true });
}
