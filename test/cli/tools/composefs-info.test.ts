import assert from 'node:assert/strict';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { composefsDump } from '../../../src/cli/tools/composefs-dump.js';
import { composefsInfo } from '../../../src/cli/tools/composefs-info.js';
import { mkcomposefs } from '../../../src/cli/tools/mkcomposefs.js';
import { makeNode } from '../../../src/linux/link.js';
import { runOurTool } from '../../support/c-tools.js';
import { sharedPath } from '../../support/paths.js';
import { failureOf } from './tool-support.js';

const BIG = '09/7e39836f303d0546bb49f570157f2c38ed302d174dfdfa1a45887bcd6ad4d6';
const S_IFIFO = 0x1000;

let work = '';
const path = (name: string): string => join(work, name);

/** The sample of spec 70 D2, with an object store; `linked`, the same with its hard links. */
before(async () => {
  work = mkdtempSync(join(tmpdir(), 'composefs-oci-info-'));
  const source = path('source');
  mkdirSync(join(source, 'sub'), { recursive: true });
  writeFileSync(join(source, 'a.txt'), 'small\n');
  writeFileSync(join(source, 'b64'), 'b'.repeat(64));
  writeFileSync(join(source, 'big'), 'x'.repeat(65));
  linkSync(join(source, 'big'), join(source, 'big2'));
  makeNode(join(source, 'fifo'), S_IFIFO | 0o644, 0);
  symlinkSync('a txt', join(source, 'link'));
  writeFileSync(join(source, 'sp ace'), 'x');
  await mkcomposefs(['--use-epoch', `--digest-store=${path('objects')}`, source, path('image')]);
  const dump = [
    '/ 0 40755 3 0 0 0 0.0 - - -',
    `/a 65 100644 2 0 0 0 5.7 ${BIG} - ${BIG.replace('/', '')} user.x==\\x3d`,
    '/b 0 @100644 2 0 0 0 0.0 /a - -',
    '/c 3 120777 2 0 0 0 0.0 a\\x20b - -',
    '/d 0 @120777 2 0 0 0 0.0 /c - -',
    '/e 1 100644 1 0 0 0 0.0 - \\x2d -',
    '/f 100 100644 1 0 0 0 0.0 not/a\\x20digest - -',
  ];
  writeFileSync(path('dump'), `${dump.join('\n')}\n`);
  await mkcomposefs(['--from-file', path('dump'), path('linked')]);
});
after(() => rmSync(work, { recursive: true, force: true }));

function info(...args: readonly string[]): string {
  const { status, stdout, stderr } = runOurTool('composefs-info', args, { cwd: work });
  assert.equal(status, 0, stderr);
  return stdout.toString('latin1');
}

test('CLI-147: ls', () => {
  const lines = [
    '/a.txt',
    '/b64',
    `/big\t@ ${BIG}`,
    `/big2\t@ ${BIG}`,
    '/fifo',
    '/link\t-> a\\x20txt',
    '/sp ace',
    '/sub/\t',
  ];
  assert.equal(info('ls', 'image'), `${lines.join('\n')}\n`);
  const linked = ['/a\t@ '.concat(BIG), '/b', '/c\t-> a\\x20b', '/d', '/e', '/f\t@ not/a\\x20digest'];
  assert.equal(info('ls', 'linked'), `${linked.join('\n')}\n`);
});

test('dump', () => {
  const lines = info('dump', 'image').split('\n');
  const owner = `${process.getuid?.()} ${process.getgid?.()}`;
  assert.equal(lines[0], `/ 4096 40755 3 ${owner} 0 0.0 - - -`);
  assert.equal(lines[1], `/a.txt 6 100644 1 ${owner} 0 0.0 - small\\n -`);
  assert.equal(lines[3], `/big 65 100644 1 ${owner} 0 0.0 ${BIG} - ${BIG.replace('/', '')}`);
  assert.equal(lines[7], `/sp\\x20ace 1 100644 1 ${owner} 0 0.0 - x -`);
  assert.equal(lines[8], `/sub 27 40755 2 ${owner} 0 0.0 - - -`);
  const digest = BIG.replace('/', '');
  assert.deepEqual(info('dump', 'linked').split('\n').slice(1), [
    `/a 65 100644 2 0 0 0 5.7 ${BIG} - ${digest} user.x=\\x3d\\x3d`,
    `/b 65 @100644 2 0 0 0 5.7 /a - ${digest} user.x=\\x3d\\x3d`,
    '/c 3 120777 2 0 0 0 0.0 a\\x20b - -',
    '/d 3 @120777 2 0 0 0 0.0 /c - -',
    '/e 1 100644 1 0 0 0 0.0 - \\x2d -',
    '/f 100 100644 1 0 0 0 0.0 not/a\\x20digest - -',
    '',
  ]);
});

test('objects: over all images, each once, in order', () => {
  assert.equal(info('objects', 'image'), `${BIG}\n`);
  assert.equal(info('objects', 'linked', 'image', 'linked'), `${BIG}\nnot/a digest\n`);
});

test('missing-objects: those that are not below basedir, all without one', () => {
  assert.equal(info('--basedir=objects', 'missing-objects', 'image'), '');
  assert.equal(info('missing-objects', 'linked', '--basedir', 'objects'), 'not/a digest\n');
  assert.equal(info('missing-objects', 'image'), `${BIG}\n`);
  assert.equal(info('--basedir=source', 'missing-objects', 'image'), `${BIG}\n`);
});

const vectors = sharedPath('vectors', 'dumpfiles');

test('CLI-130: a filtered dump', { skip: vectors === undefined && 'the shared vectors are absent' }, async () => {
  await mkcomposefs(['--from-file', join(vectors ?? '', 'good/special.dump'), path('special')]);
  assert.equal(
    info('--filter=chardev', '--filter=inline', '--filter=whiteout', 'dump', 'special'),
    '/ 4096 40555 2 0 0 0 1633950376.0 - - - trusted.foo1=bar-1 trusted.overlay.opaque=x user.foo2=bar-2 user.overlay.opaque=x\n' +
      '/chardev 0 20777 1 0 0 10769 1633950376.0 - - - trusted.foo=bar-2\n' +
      '/inline 15 100777 1 0 0 0 1633950376.0 - FOOBAR\\nINAFILE\\n - user.foo=bar-2\n' +
      '/whiteout 0 20777 1 0 0 0 1633950376.0 - - - trusted.foo=bar-2\n',
  );
});

test('a filter applies to every command, and makes the first name that is left the one that counts', () => {
  assert.equal(info('--filter=b', 'ls', 'linked'), `/b\t@ ${BIG}\n`);
  assert.equal(info('--filter=f', 'objects', 'linked'), 'not/a digest\n');
  assert.match(info('--filter=b', 'dump', 'linked'), /^\/ [^\n]*\n\/b 65 100644 2 [^\n]*\n$/);
});

test('CLI-112: measure-file', () => {
  writeFileSync(path('test.txt'), 'hello world\n');
  writeFileSync(path('test2.txt'), 'foo bar baz\n');
  writeFileSync(path('empty'), '');
  assert.equal(
    info('measure-file', 'test.txt', 'test2.txt', 'empty'),
    '37061ef2ac4c21bec68489b56138c5780306a4ad7fe6676236ecdf2c9027cd92\n' +
      '91e7d88cb7bc9cf6d8db3b0ecf89af4abf204bef5b3ade5113d5b62ef374e70b\n' +
      '3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95\n',
  );
});

const USAGE = 'usage: composefs-info [--basedir=path] [ls|objects|dump|missing-objects|measure-file] IMAGES...\n';

test('CLI-148: what is wrong with a command line, or with a file', async () => {
  const image = path('image');
  const none = path('none');
  const cases: [args: string[], text: string][] = [
    [[], `No command specified\n${USAGE}`],
    [['ls'], `No image path specified\n${USAGE}`],
    [['measure-file'], `No files specified\n${USAGE}`],
    [['bogus'], "composefs-info: Unknown command 'bogus'\n\n"],
    [['--filter=a/b', 'ls', image], 'composefs-info: Filter must be a single name: a/b: Success\n'],
    [
      [`--basedir=${none}`, 'ls', image],
      `composefs-info: Can't open basedir \`${none}\`\n: No such file or directory\n`,
    ],
    [[`--basedir=${image}`, 'ls', image], `composefs-info: Can't open basedir \`${image}\`\n: Not a directory\n`],
    [['dump', none], `composefs-info: Failed to open '${none}': No such file or directory\n`],
    [['dump', work], `composefs-info: Failed to load '${work}': No such device\n`],
    [['dump', '/dev/null'], "composefs-info: Failed to load '/dev/null': Invalid argument\n"],
    [['dump', path('dump')], `composefs-info: Failed to load '${path('dump')}': Invalid argument\n`],
    [['measure-file', none], `composefs-info: Failed to open '${none}': No such file or directory\n`],
    [['measure-file', work], `failed to measure '${work}': No data available`],
  ];
  for (const [args, text] of cases) assert.equal(await failureOf(composefsInfo, ...args), text);
  const wrong = runOurTool('composefs-info', ['--help']);
  assert.deepEqual(
    [wrong.status, wrong.stdout.toString(), wrong.stderr],
    [1, 'Def\n', `composefs-info: unrecognized option '--help'\n${USAGE}`],
  );
});

test('a damaged image is refused with what is wrong with it, whatever the damage', async () => {
  const bytes = readFileSync(path('linked'));
  const damaged = path('damaged');
  writeFileSync(damaged, bytes.subarray(0, 8192));
  const [first, second, end] = (await failureOf(composefsInfo, 'objects', damaged)).split('\n');
  assert.equal(first, `composefs-info: Failed to load '${damaged}': Invalid argument`);
  assert.match(second ?? '', /^composefs-info: (Invalid image|Invalid inode|Offset out of bounds)/);
  assert.equal(end, '');
  for (let offset = 1024; offset < 1300; offset++) {
    const copy = Buffer.from(bytes);
    copy.writeUInt8(0xff, offset);
    writeFileSync(damaged, copy);
    try {
      composefsDump([damaged, path('again')]);
    } catch (error) {
      assert.match(String(error), /composefs-dump: (Failed to load|cannot write file)/);
    }
  }
  unlinkSync(damaged);
});

test('composefs-dump writes the same image again', async () => {
  for (const version of ['0', '1']) {
    await mkcomposefs([`--min-version=${version}`, '--from-file', path('dump'), path('first')]);
    assert.equal(composefsDump([path('first'), path('second')]), 0);
    assert.ok(readFileSync(path('first')).equals(readFileSync(path('second'))));
  }
});

test('composefs-dump: what can be wrong', async () => {
  const [none, dump, image] = [path('none'), path('dump'), path('image')];
  const cases: [args: string[], text: string][] = [
    [[], 'No source path specified\nusage: composefs-dump SRC DEST\n'],
    [[image], 'No destination path specified\nusage: composefs-dump SRC DEST\n'],
    [[none, none], `composefs-dump: Failed to open '${none}': No such file or directory\n`],
    [[dump, none], `composefs-dump: Failed to get image version '${dump}': Invalid argument\n`],
    [[image, work], `composefs-dump: failed to open '${work}': Is a directory\n`],
  ];
  for (const [args, text] of cases) assert.equal(await failureOf(composefsDump, ...args), text);
});
