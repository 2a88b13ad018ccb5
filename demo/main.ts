import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { umount2 } from '../src/linux/mount-api.js';
import { TestRegistry } from '../src/testing/index.js';
import { compareDump, compareMount } from './compare.js';
import { type SelfImage, writeSelfImage } from './self-image.js';

/**
 * The main job from end to end: an OCI image from a registry into a composefs repository, checked, mounted, compared,
 * cleaned up.
 *
 *     npm run demo                                  an image made of this package and its dependencies, from a registry
 *                                                   in this process; needs no network
 *     npm run demo -- docker://quay.io/fedora/fedora:42
 *     npm run demo -- oci:DIR:TAG                   or whatever else `cfsctl oci pull` takes, with its options
 */

const packageRoot = fileURLToPath(new URL('../..', import.meta.url));
const program = join(packageRoot, 'dist/lib/cfsctl.js');
const isRoot = process.getuid?.() === 0;
const work = mkdtempSync(join(tmpdir(), 'composefs-oci-demo-'));
const bold = (text: string): string => (process.stdout.isTTY ? `\x1b[1m${text}\x1b[0m` : text);

/** Paths are shown as one types them in the working directory. */
function say(text: string): void {
  process.stdout.write(`${text.replaceAll(`${work}/`, '')}\n`);
}

function step(title: string): void {
  say(`\n${bold(title)}`);
}

/** Runs `cfsctl` while this process goes on, which may be the registry. @returns what it prints. */
async function cfsctl(args: readonly string[]): Promise<Buffer> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr, [status]] = await Promise.all([
    buffer(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  if (status !== 0) throw new Error(`cfsctl ${args.join(' ')} failed:\n${stderr}`);
  return stdout;
}

/** Shows a command as one would type it, runs it, shows what it prints (at most `lines` lines) and returns that. */
async function run(args: readonly string[], lines = 20): Promise<string> {
  say(`  $ cfsctl ${args.join(' ')}`);
  const start = performance.now();
  const output = (await cfsctl(args)).toString();
  const shown = output.split('\n').filter((line) => line !== '');
  for (const line of shown.slice(0, lines)) say(`  ${line.length > 110 ? `${line.slice(0, 109)}…` : line}`);
  if (shown.length > lines) say(`  … ${shown.length - lines} more lines`);
  say(`  (${((performance.now() - start) / 1000).toFixed(2)} s)`);
  return output;
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

/** The same pull twice: what is stored is not fetched again. */
async function pullTwice(repo: string, source: readonly string[], registry: TestRegistry | undefined): Promise<void> {
  const pull = ['--repo', repo, 'oci', 'pull', ...source, 'demo'];
  const served = (): void => {
    if (registry === undefined) return;
    const bytes = registry.requests.reduce((sum, { bytesSent }) => sum + bytesSent, 0);
    const { length } = registry.requests.splice(0);
    say(`  the registry has answered ${length === 1 ? '1 request' : `${length} requests`}, with ${mebibytes(bytes)}`);
  };
  await run(pull);
  served();
  say('');
  await run(pull);
  served();
}

async function proveLayers(repo: string): Promise<void> {
  step('Rebuild each layer from the store: the bytes must hash to its diff_id');
  const config = await cfsctl(['--repo', repo, 'oci', 'inspect', '--config', 'demo']);
  const { rootfs } = JSON.parse(config.toString()) as { rootfs: { diff_ids: string[] } };
  for (const diffId of rootfs.diff_ids) {
    const tar = await cfsctl(['--repo', repo, 'oci', 'layer', diffId]);
    const found = `sha256:${createHash('sha256').update(tar).digest('hex')}`;
    if (found !== diffId) throw new Error(`layer ${diffId} came back as ${found}`);
    say(`  ${diffId.slice(0, 26)}…  ${mebibytes(tar.length)}, equal`);
  }
}

function report(differences: readonly string[], count: number, what: string): void {
  if (differences.length > 0) throw new Error(`${what} differs:\n  ${differences.slice(0, 20).join('\n  ')}`);
  say(`  ${what}: all ${count} entries equal the originals`);
}

async function mountAndCompare(repo: string, mountPoint: string, image: SelfImage | undefined): Promise<void> {
  step('Mount it: EROFS for the metadata, overlayfs over the object store');
  mkdirSync(mountPoint);
  await run(['--repo', repo, 'oci', 'mount', '--fuse=no', 'demo', mountPoint]);
  try {
    say(`  $ ls ${mountPoint}`);
    say(`  ${readdirSync(mountPoint).sort().join('  ')}`);
    if (image !== undefined) report(compareMount(mountPoint, image.expected), image.expected.size, 'the mounted tree');
  } finally {
    umount2(mountPoint, 0);
  }
}

async function dumpAndCompare(repo: string, image: SelfImage | undefined): Promise<void> {
  step('Dump the tree (mounting needs root)');
  const dump = await run(['--repo', repo, 'oci', 'dump', 'demo'], 8);
  if (image !== undefined) report(compareDump(dump, image.expected), image.expected.size, 'the tree');
}

let registry: TestRegistry | undefined;
try {
  const repo = join(work, 'repo');
  let source = process.argv.slice(2);
  let image: SelfImage | undefined;
  if (source.length === 0) {
    image = await makeImage(join(work, 'image'));
    registry = await TestRegistry.start();
    registry.addLayout('demo/image', join(work, 'image'));
    source = ['--tls-verify=false', registry.reference('demo/image')];
  }

  step(
    `In ${work}: make a repository, and pull the image into it${registry === undefined ? '' : ' from a registry'}; then once more`,
  );
  await run(['--repo', repo, 'init', '--insecure']);
  await pullTwice(repo, source, registry);

  step('Look at it');
  await run(['--repo', repo, 'oci', 'images']);
  await run(['--repo', repo, 'oci', 'inspect', 'demo'], 6);

  step('Check everything: objects, streams, images, digests');
  await run(['--repo', repo, 'oci', 'fsck']);

  await proveLayers(repo);
  if (isRoot) await mountAndCompare(repo, join(work, 'mnt'), image);
  else await dumpAndCompare(repo, image);

  step('Remove it again: nothing is left');
  await run(['--repo', repo, 'oci', 'untag', 'demo']);
  await run(['--repo', repo, 'gc']);
  say('');
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
} finally {
  await registry?.close();
  rmSync(work, { recursive: true, force: true });
}
