import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { umount2 } from '../src/linux/mount-api.js';
import { compareDump, compareMount } from './compare.js';
import { type SelfImage, writeSelfImage } from './self-image.js';

/**
 * The main job from end to end: an OCI image into a composefs repository, checked, mounted, compared, cleaned up.
 *
 *     npm run demo                      an image made of this package and its dependencies; needs no network
 *     npm run demo -- oci:DIR:TAG       any image that `cfsctl oci pull` can read
 */

const packageRoot = fileURLToPath(new URL('../..', import.meta.url));
const cfsctl = join(packageRoot, 'dist/src/cli/cfsctl.js');
const isRoot = process.getuid?.() === 0;
const bold = (text: string): string => (process.stdout.isTTY ? `\x1b[1m${text}\x1b[0m` : text);

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function step(title: string): void {
  say(`\n${bold(title)}`);
}

/** Shows a command as one would type it, runs it, shows what it prints (at most `lines` lines) and returns that. */
function run(args: readonly string[], lines = 20): string {
  say(`  $ cfsctl ${args.join(' ')}`);
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, [cfsctl, ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  });
  if (status !== 0) throw new Error(`cfsctl ${args.join(' ')} failed:\n${stderr}`);
  const shown = stdout.split('\n').filter((line) => line !== '');
  for (const line of shown.slice(0, lines)) say(`  ${line.length > 110 ? `${line.slice(0, 109)}…` : line}`);
  if (shown.length > lines) say(`  … ${shown.length - lines} more lines`);
  say(`  (${((performance.now() - start) / 1000).toFixed(2)} s)`);
  return stdout;
}

function mebibytes(bytes: number): string {
  return `${(bytes / (1 << 20)).toFixed(1)} MiB`;
}

async function makeImage(layout: string): Promise<SelfImage> {
  step('Make an OCI image of this package and its dependencies');
  const image = await writeSelfImage(packageRoot, layout);
  for (const { description, size } of image.layers) say(`  layer: ${description}, ${mebibytes(size)} of tar`);
  say(`  ${image.expected.size} files and directories in the end`);
  return image;
}

function proveLayers(repo: string): void {
  step('Rebuild each layer from the store: the bytes must hash to its diff_id');
  const inspection = JSON.parse(
    spawnSync(process.execPath, [cfsctl, '--repo', repo, 'oci', 'inspect', 'demo'], { encoding: 'utf8' }).stdout,
  ) as { config: string };
  const { rootfs } = JSON.parse(inspection.config) as { rootfs: { diff_ids: string[] } };
  for (const diffId of rootfs.diff_ids) {
    const { stdout } = spawnSync(process.execPath, [cfsctl, '--repo', repo, 'oci', 'layer', diffId], {
      maxBuffer: 1 << 30,
    });
    const found = `sha256:${createHash('sha256').update(stdout).digest('hex')}`;
    if (found !== diffId) throw new Error(`layer ${diffId} came back as ${found}`);
    say(`  ${diffId.slice(0, 26)}…  ${mebibytes(stdout.length)}, equal`);
  }
}

function report(differences: readonly string[], count: number, what: string): void {
  if (differences.length > 0) throw new Error(`${what} differs:\n  ${differences.slice(0, 20).join('\n  ')}`);
  say(`  ${what}: all ${count} entries equal the originals`);
}

function mountAndCompare(repo: string, mountPoint: string, image: SelfImage | undefined): void {
  step('Mount it: EROFS for the metadata, overlayfs over the object store');
  mkdirSync(mountPoint);
  run(['--repo', repo, 'oci', 'mount', '--fuse=no', 'demo', mountPoint]);
  try {
    say(`  $ ls ${mountPoint}`);
    say(`  ${spawnSync('ls', [mountPoint], { encoding: 'utf8' }).stdout.trim().split('\n').join('  ')}`);
    if (image !== undefined) report(compareMount(mountPoint, image.expected), image.expected.size, 'the mounted tree');
  } finally {
    umount2(mountPoint, 0);
  }
}

function dumpAndCompare(repo: string, image: SelfImage | undefined): void {
  step('Dump the tree (mounting needs root)');
  const dump = run(['--repo', repo, 'oci', 'dump', 'demo'], 8);
  if (image !== undefined) report(compareDump(dump, image.expected), image.expected.size, 'the tree');
}

const work = mkdtempSync(join(tmpdir(), 'composefs-oci-demo-'));
try {
  const repo = join(work, 'repo');
  const wanted = process.argv[2];
  const image = wanted === undefined ? await makeImage(join(work, 'image')) : undefined;
  const source = wanted ?? `oci:${join(work, 'image')}:latest`;

  step('Make a repository and pull the image into it');
  run(['--repo', repo, 'init', '--insecure']);
  run(['--repo', repo, 'oci', 'pull', source, 'demo']);

  step('Look at it');
  run(['--repo', repo, 'oci', 'images']);
  run(['--repo', repo, 'oci', 'inspect', 'demo'], 6);

  step('Check everything: objects, streams, images, digests');
  run(['--repo', repo, 'oci', 'fsck']);

  proveLayers(repo);
  if (isRoot) mountAndCompare(repo, join(work, 'mnt'), image);
  else dumpAndCompare(repo, image);

  step('Remove it again: nothing is left');
  run(['--repo', repo, 'oci', 'untag', 'demo']);
  run(['--repo', repo, 'gc']);
  say('');
} finally {
  rmSync(work, { recursive: true, force: true });
}
