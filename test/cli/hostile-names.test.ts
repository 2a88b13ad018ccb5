import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, test } from 'node:test';
import type { Command } from 'commander';
import { createProgram } from '../../src/cli/program.js';
import { Output } from '../../src/cli/terminal/output.js';
import { cfsctl, cfsctlBytes } from '../support/cfsctl.js';
import { dockerConfig, manifestJson } from '../support/docker-archives.js';
import { buildImage, LayoutBuilder } from '../support/oci-fixtures.js';
import { paxHeader, tarArchive, tarDirectory, tarFile, tarSymlink } from '../support/tar-builder.js';

/**
 * Every command, over a repository and images whose every name is hostile: what it prints must not command a terminal,
 * begin a line of its own, or hide anything.
 */

const FORGED = 'FORGED';
/** What an image may call itself: escape sequences (C0 and C1), reversed, invisible and separating characters. */
const HOSTILE = `x\x1b[2J\x1b]0;T\x07\u009b31m\u202e\u200b\u2028\u00ad\u{e0041}\x7f\n${FORGED}: ok\r`;
/** A file name of it, shorter, as there is a limit. */
const HOSTILE_FILE = `f\x1b[2J\u009b1m\u202e\n${FORGED} ok\r`;

const UNPRINTABLE = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

/** Those of progress bars. */
const CURSOR_MOVES = new RegExp(`${'\u001b'}\\[(?:\\d+A\r|[JK])`, 'g');

const directory = mkdtempSync(join(tmpdir(), 'composefs-oci-test-hostile-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const at = (name: string): string => join(directory, name);
const repository = at('repo');
const hostileRoot = at('root');
let layer = '';
let manifest = '';
let imageId = '';

before(() => {
  mkdirSync(hostileRoot);
  writeFileSync(join(hostileRoot, HOSTILE_FILE), 'x'.repeat(100));
  symlinkSync(HOSTILE_FILE, join(hostileRoot, 'link'));
  mkdirSync(join(hostileRoot, 'usr'));

  const image = hostileImage();
  new LayoutBuilder()
    .addImage(image, { tag: 'app', descriptor: { annotations: { 'org.opencontainers.image.ref.name': HOSTILE } } })
    .write(at('layout'));
  new LayoutBuilder().addImage(image, { descriptor: { mediaType: HOSTILE } }).write(at('bad-type'));
  const odd = buildImage([tarArchive([tarDirectory('usr')])], {
    layerDescriptor: () => ({ mediaType: HOSTILE }),
    editConfig: () => Buffer.from(`{"architecture": 1, "os": ${JSON.stringify(HOSTILE)}}`),
  });
  new LayoutBuilder().addImage(odd).write(at('bad-config'));
  const broken = tarArchive([tarFile(`etc/${HOSTILE_FILE}/a`, 'a'), tarFile(HOSTILE_FILE, 'b', { size: 2 ** 33 - 1 })]);
  new LayoutBuilder().addImage(buildImage([broken])).write(at('bad-layer'));
  const whiteout = tarArchive([tarDirectory('usr'), tarFile(HOSTILE_FILE, 'a'), tarFile(`${HOSTILE_FILE}/b`, 'c')]);
  new LayoutBuilder().addImage(buildImage([whiteout])).write(at('bad-tree'));
  const tar = tarArchive([tarDirectory('usr')]);
  writeFileSync(
    at('docker.tar'),
    tarArchive([
      tarFile('config.json', dockerConfig([tar])),
      tarFile('layer.tar', tar),
      manifestJson({ Config: 'config.json', RepoTags: [HOSTILE, `${HOSTILE}:b`], Layers: ['layer.tar'] }),
    ]),
  );

  ok('init', '--insecure', repository);
  ok('oci', 'pull', `oci:${at('layout')}`, 'app');
  ok('oci', 'pull', `oci:${at('layout')}`, HOSTILE);
  layer = image.diffIds[0] ?? '';
  manifest = image.manifest.descriptor.digest;
  imageId = JSON.parse(ok('oci', 'inspect', 'app')).composefs_erofs;

  // What anybody who owns the repository can put there.
  for (const place of ['objects', 'images', 'streams', 'objects/ab']) {
    mkdirSync(join(repository, place), { recursive: true });
    writeFileSync(join(repository, place, HOSTILE_FILE), 'no such thing');
  }
  for (const refs of ['images/refs', 'streams/refs', 'streams/refs/oci']) {
    mkdirSync(join(repository, refs, HOSTILE_FILE), { recursive: true });
    symlinkSync(`../../../${HOSTILE_FILE}`, join(repository, refs, HOSTILE_FILE, `dangling ${HOSTILE_FILE}`));
  }
  symlinkSync(`../../${imageId.replace(/^.*:/, '')}`, join(repository, 'images/refs', `good ${HOSTILE_FILE}`));
  symlinkSync(`../objects/00/${HOSTILE_FILE}`, join(repository, 'streams', `broken ${HOSTILE_FILE}`));
  symlinkSync(`../objects/00/${HOSTILE_FILE}`, join(repository, 'images', `broken ${HOSTILE_FILE}`));
  mkdirSync(at(`bad-meta ${HOSTILE_FILE}`));
  writeFileSync(at(`bad-meta ${HOSTILE_FILE}/meta.json`), JSON.stringify({ version: 1, algorithm: HOSTILE }));
});

function hostileImage(): ReturnType<typeof buildImage> {
  const attribute = [`SCHILY.xattr.user.${HOSTILE_FILE}`, HOSTILE] as const;
  const tar = tarArchive([
    tarDirectory('usr'),
    paxHeader([['path', HOSTILE_FILE], attribute]),
    tarFile('x', 'y'.repeat(100)),
    tarSymlink('link', HOSTILE_FILE),
    tarDirectory(`d ${HOSTILE_FILE}`),
    tarFile(`d ${HOSTILE_FILE}/small`, 'small'),
  ]);
  return buildImage([tar], {
    architecture: 'amd64',
    config: {
      created: HOSTILE,
      author: HOSTILE,
      history: [{ created: HOSTILE, created_by: HOSTILE, comment: HOSTILE, author: HOSTILE }],
      config: { Labels: { 'containers.composefs.fsverity': `${HOSTILE}status: ok`, [HOSTILE]: HOSTILE } },
    },
  });
}

function ok(...args: string[]): string {
  const { status, stdout, stderr } = cfsctl(['--repo', repository, ...args]);
  assert.equal(status, 0, `${args.join(' ')}: ${stderr}`);
  return stdout;
}

interface Case {
  /** `oci pull` */
  readonly verb: string;
  /** What follows it. */
  readonly args: readonly string[];
  readonly globals?: readonly string[];
  readonly input?: string;
  /** Standard output is the content itself, byte for byte. */
  readonly raw?: true;
}

function cases(): Case[] {
  const inRepository = (verb: string, ...args: string[]): Case => ({ verb, args });
  const pull = (...args: string[]): Case => inRepository('oci pull', ...args);
  const pullInEachWay = (...args: string[]): Case[] =>
    ['plain', 'bar', 'json', 'none'].map((mode) => pull('--progress', mode, ...args));
  const badMeta = ['--repo', at(`bad-meta ${HOSTILE_FILE}`)];
  return [
    inRepository('init', '--insecure', at(`new ${HOSTILE_FILE}`)),
    inRepository('init', '--insecure', at(`bad-meta ${HOSTILE_FILE}`)),
    inRepository('cat', HOSTILE),
    { verb: 'cat', args: [`oci-layer-${layer}`], raw: true },
    inRepository('gc', '--dry-run'),
    inRepository('gc', '--root', HOSTILE),
    { verb: 'import-image', args: [HOSTILE], input: HOSTILE },
    inRepository('images'),
    inRepository('images', '--json'),
    inRepository('images', '--no-trunc'),
    inRepository('mount', HOSTILE, at('nowhere')),
    inRepository('mount', imageId, at(HOSTILE_FILE)),
    inRepository('create-image', hostileRoot, HOSTILE),
    inRepository('create-image', at(HOSTILE_FILE)),
    inRepository('compute-id', hostileRoot),
    inRepository('create-dumpfile', hostileRoot),
    inRepository('create-dumpfile', at(HOSTILE_FILE)),
    inRepository('image-objects', HOSTILE),
    inRepository('image-objects', imageId),
    inRepository('dump-files', imageId, '/', HOSTILE_FILE),
    inRepository('dump-files', imageId, '/', `/${HOSTILE_FILE}`),
    inRepository('dump-files', '--backing-path-only', imageId, `/${HOSTILE_FILE}`),
    inRepository('fsck'),
    inRepository('fsck', '--json'),
    { verb: 'fsck', args: ['--metadata-only'], globals: badMeta },
    inRepository('umount', at(HOSTILE_FILE), HOSTILE),
    // What the command itself prints goes straight to the terminal.
    inRepository('unshare', 'true', HOSTILE),
    { verb: 'doctor', args: [], globals: badMeta },
    { verb: 'doctor', args: ['--json'], globals: badMeta },
    { verb: 'transaction', args: [], globals: badMeta },
    inRepository('help', HOSTILE),
    inRepository('oci help', HOSTILE),
    ...pullInEachWay(`oci:${at('layout')}`, `again ${HOSTILE}`),
    pull(`oci:${at('bad-type')}`),
    pull(`oci:${at('bad-config')}`),
    pull(`oci:${at('bad-layer')}`),
    ...pullInEachWay(`oci:${at('bad-tree')}`),
    pull('--progress', 'plain', `docker-archive:${at('docker.tar')}`),
    pull('--json', `oci:${at('layout')}`, HOSTILE),
    pull('--quiet', `oci:${at('layout')}`, HOSTILE),
    pull(`oci:${at('layout')}:${HOSTILE}x`),
    pull(`docker-archive:${at('docker.tar')}:${HOSTILE}`),
    pull(`oci:${at(HOSTILE_FILE)}`),
    pull(HOSTILE),
    pull(`docker://localhost:1/${HOSTILE}`),
    pull('--platform', HOSTILE, `oci:${at('layout')}`),
    inRepository('oci login', '--get-login', HOSTILE),
    inRepository('oci logout', HOSTILE),
    inRepository('oci images'),
    inRepository('oci images', '--json'),
    inRepository('oci inspect', HOSTILE),
    inRepository('oci inspect', `${HOSTILE}x`),
    { verb: 'oci inspect', args: ['--manifest', HOSTILE], raw: true },
    { verb: 'oci inspect', args: ['--config', HOSTILE], raw: true },
    inRepository('oci tag', manifest, `tag ${HOSTILE}`),
    inRepository('oci tag', HOSTILE, 'tag'),
    inRepository('oci untag', `tag ${HOSTILE}`),
    inRepository('oci untag', `tag ${HOSTILE}`),
    inRepository('oci fsck'),
    inRepository('oci fsck', '--json'),
    inRepository('oci fsck', HOSTILE),
    inRepository('oci layer', HOSTILE),
    inRepository('oci layer', '--dumpfile', layer),
    inRepository('oci layer', '--json', layer),
    { verb: 'oci layer', args: [layer], raw: true },
    { verb: 'oci import-layer', args: [layer, HOSTILE], input: HOSTILE },
    { verb: 'oci import-layer', args: [HOSTILE], input: '' },
    inRepository('oci dump', HOSTILE),
    inRepository('oci dump', `@${layer}${HOSTILE}`),
    inRepository('oci compute-id', HOSTILE),
    inRepository('oci compute-id', `${HOSTILE}x`),
    inRepository('oci mount', HOSTILE, at(HOSTILE_FILE)),
    inRepository('oci mount', `${HOSTILE}x`, at('nowhere')),
    inRepository('oci linked-erofs-images', HOSTILE),
    inRepository('oci linked-erofs-images', imageId),
    inRepository('boot help', HOSTILE),
    inRepository('boot check', 'app'),
    inRepository('boot check', '--json', 'app'),
    inRepository('boot check', HOSTILE),
    inRepository('boot prune', '--bootdir', at(HOSTILE_FILE)),
    inRepository('boot remove', '--bootdir', at(HOSTILE_FILE), HOSTILE_FILE),
    inRepository('oci prepare-boot', '--bootdir', at(HOSTILE_FILE), 'app'),
    inRepository('oci prepare-boot', '--bootdir', at('nowhere'), '--entry-id', HOSTILE, 'app'),
    inRepository('oci prepare-boot', HOSTILE),
    inRepository('oci push', 'app', `docker://localhost:1/${HOSTILE}`),
    inRepository('oci push', HOSTILE, 'docker://localhost:1/app:1'),
    inRepository('oci push', 'app', HOSTILE),
    inRepository('completion', HOSTILE),
    inRepository('__complete', 'cfsctl', 'oci', 'ls', ''),
    inRepository('oci ls', 'app'),
    inRepository('oci ls', '-R', 'app'),
    inRepository('oci ls', '-lR', 'app'),
    inRepository('oci ls', '-R', '--json', 'app'),
    inRepository('oci ls', HOSTILE, HOSTILE_FILE),
    inRepository('oci ls', `${HOSTILE}x`, HOSTILE_FILE),
    { verb: 'oci cat', args: ['app', HOSTILE_FILE], raw: true },
    inRepository('oci cat', 'app', `d ${HOSTILE_FILE}`),
    inRepository('oci extract', 'app', `d ${HOSTILE_FILE}`, at(`out ${HOSTILE_FILE}`)),
    inRepository('oci extract', 'app', `d ${HOSTILE_FILE}`, at(`out ${HOSTILE_FILE}`)),
    inRepository('oci extract', '--json', 'app', HOSTILE_FILE, at(`out ${HOSTILE_FILE}`)),
    inRepository('oci extract', '--json', 'app', HOSTILE_FILE, at(`out ${HOSTILE_FILE}`)),
    inRepository('oci find', '--path', '*'),
    inRepository('oci find', '--path', `*${HOSTILE_FILE}*`),
    inRepository('oci find', '--digest', HOSTILE),
    inRepository('oci find', '--json', '--path', '**', 'app'),
    inRepository('oci diff', 'app', hostileRoot),
    inRepository('oci diff', '--json', 'app', hostileRoot),
    inRepository('oci diff', '--summary', hostileRoot, 'app'),
    inRepository('oci diff', '--ignore', HOSTILE, 'app', 'app'),
    inRepository('oci diff', `${HOSTILE}x`, HOSTILE_FILE),
    inRepository('du'),
    inRepository('du', '--json'),
    inRepository('du', '--layers', 'app'),
    inRepository('du', `${HOSTILE}x`),
    inRepository('df'),
    inRepository('df', '--json'),
    inRepository('why', layer),
    inRepository('why', '--json', 'app'),
    inRepository('why', imageId.replace(/^.*:/, '')),
    inRepository('why', `streams/broken ${HOSTILE_FILE}`),
    inRepository('why', `images/refs/good ${HOSTILE_FILE}`),
    inRepository('why', HOSTILE),
    inRepository('gc', '--json', '--dry-run', '--keep-newer-than', HOSTILE),
    inRepository('oci history', 'app'),
    inRepository('oci history', '--no-trunc', HOSTILE),
    inRepository('oci history', '--json', 'app'),
    inRepository('oci history', `${HOSTILE}x`),
    inRepository('oci prune', '--older-than', '0s', '--dry-run'),
    inRepository('oci prune', '--older-than', '0s', '--dry-run', '--json'),
    inRepository('oci prune', '--older-than', HOSTILE),
    inRepository('compute-karg', hostileRoot),
    inRepository('compute-karg', at(HOSTILE_FILE)),
    inRepository('oci export', 'app', `oci:${at(`exported ${HOSTILE_FILE}`)}`),
    inRepository('oci export', `${HOSTILE}x`, `oci:${at('exported')}`),
    inRepository('oci export', 'app', HOSTILE),
    inRepository('oci explain', hostileRoot, 'app'),
    inRepository('oci explain', '--json', hostileRoot, 'app'),
    inRepository('oci explain', '0'.repeat(128), 'app'),
    inRepository('oci explain', HOSTILE, `${HOSTILE}x`),
    inRepository('no such verb', `${HOSTILE}`),
    inRepository('oci images', `--${HOSTILE}`),
  ];
}

function verbsOf(command: Command, path: readonly string[] = []): string[] {
  if (command.commands.length === 0) return [path.join(' ')];
  return command.commands.flatMap((child) => verbsOf(child, [...path, child.name()]));
}

test('what images, repositories and arguments are called never commands a terminal or forges a line', () => {
  for (const { verb, args, globals = ['--repo', repository], input, raw } of cases()) {
    // With the stacks of errors.
    const line = ['--debug', ...globals, ...(verb.startsWith('no ') ? [verb] : verb.split(' ')), ...args];
    const { stdout, stderr } = cfsctlBytes(line, { input: input ?? '' });
    const shown = JSON.stringify([verb, ...args]);
    // Bars move the cursor; what they name must not.
    assertHarmless(stderr.replace(args.includes('bar') ? CURSOR_MOVES : '', ''), `standard error of ${shown}`);
    if (raw === undefined) assertHarmless(stdout.toString('utf8'), `standard output of ${shown}`);
    if (args.includes('--json') && stdout.length > 0) JSON.parse(stdout.toString('utf8'));
  }
});

test('no verb is left out', () => {
  const tested = new Set(cases().map(({ verb }) => verb));
  const verbs = verbsOf(createProgram(new Output(new PassThrough())));
  assert.deepEqual(
    verbs.filter((verb) => !tested.has(verb)),
    [],
  );
});

test('text gets to a stream in one way', () => {
  const sources = new URL('../../../src/cli/', import.meta.url);
  const writing = readdirSync(sources, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .filter((name) => /process\.std(?:out|err)\.write|\bconsole\./.test(readFileSync(new URL(name, sources), 'utf8')));
  assert.deepEqual(writing.sort(), ['context/prompt.ts', 'terminal/warning.ts']);
});

function assertHarmless(text: string, what: string): void {
  const found = UNPRINTABLE.exec(text);
  assert.equal(found, null, `${what}: ${JSON.stringify(text.slice(Math.max(0, (found?.index ?? 0) - 60)))}`);
  const forged = text.split('\n').find((line) => line.trimStart().startsWith(FORGED));
  assert.equal(forged, undefined, `${what}: ${JSON.stringify(text)}`);
}
