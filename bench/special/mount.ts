import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unmountImage } from '../../src/composefs/mount/unmount.js';
import { commandPath } from '../../test/support/paths.js';
import { type Measurement, measure, median } from '../measure.js';

/**
 * How long mounting takes beyond the start of Node itself, as root.
 *
 *     COMPOSEFS_TEST_IMAGES=DIR node dist/bench/special/mount.js
 *
 * DIR holds OCI layouts; `python:gzip` is used. COMPOSEFS_BENCH_RUNS (11) sets the number of runs; the medians and the
 * fastest are printed, as other load can only add. COMPOSEFS_RS_CFSCTL names the reference, which is then timed as well.
 */

const runs = Number(process.env['COMPOSEFS_BENCH_RUNS'] ?? 11);
const images = process.env['COMPOSEFS_TEST_IMAGES'];
const reference = process.env['COMPOSEFS_RS_CFSCTL'];
if (images === undefined) {
  console.error('COMPOSEFS_TEST_IMAGES must name a folder with the OCI layout `python`');
  process.exit(1);
}

const directory = mkdtempSync(join(tmpdir(), 'composefs-bench-'));
const repo = join(directory, 'repo');
const mountPoint = join(directory, 'mnt');
mkdirSync(mountPoint);
const node = process.execPath;
const cfsctl = [node, commandPath('cfsctl')];
const mountComposefs = [node, commandPath('mount.composefs')];

function time(name: string, command: readonly string[], cleanUp?: () => void, base?: Measurement): Measurement {
  const measurements: Measurement[] = [];
  for (let run = 0; run < runs; run++) {
    measurements.push(measure(command));
    cleanUp?.();
  }
  const ms = (seconds: number): string => `${(seconds * 1000).toFixed(0)} ms`;
  const best = measurements.reduce((a, b) => (a.wall < b.wall ? a : b));
  const middle = median(measurements);
  const beyond = base === undefined ? '' : `, beyond Node ${ms(best.wall - base.wall)}`;
  console.log(`${name.padEnd(24)} median ${ms(middle.wall)}, fastest ${ms(best.wall)}${beyond}`);
  return best;
}

try {
  measure([...cfsctl, '--repo', repo, 'init', '--insecure']);
  measure([
    ...cfsctl,
    '--repo',
    repo,
    'oci',
    'pull',
    '--progress',
    'none',
    `oci:${join(images, 'python')}:gzip`,
    'app',
  ]);
  const unmount = (): void => unmountImage(mountPoint);
  const mount = ['--repo', repo, 'oci', 'mount', '--fuse', 'no', 'app', mountPoint];
  const start = time('node -e 0', [node, '-e', '0']);
  time('cfsctl --help', [...cfsctl, '--help'], undefined, start);
  time('cfsctl oci mount', [...cfsctl, ...mount], unmount, start);
  const [image = ''] = readdirSync(join(repo, 'images')).filter((name) => name !== 'refs');
  time('cfsctl mount', [...cfsctl, '--repo', repo, 'mount', '--fuse', 'no', image, mountPoint], unmount, start);
  const objects = join(repo, 'objects');
  const file = join(repo, 'images', image);
  time('mount.composefs', [...mountComposefs, '-o', `basedir=${objects}`, file, mountPoint], unmount, start);
  if (reference !== undefined) time('reference: oci mount', [reference, '--insecure', ...mount], unmount);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
