import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { complete } from '../../../src/cli/completion/complete.js';
import { findValues } from '../../../src/cli/completion/find-values.js';
import { shellWords } from '../../../src/cli/completion/shell-words.js';
import { createProgram } from '../../../src/cli/program.js';
import { Output } from '../../../src/cli/terminal/output.js';
import { tempDir } from '../../oci/oci-support.js';
import { fxOci, LayoutBuilder } from '../../support/oci-fixtures.js';

const program = createProgram(new Output(new PassThrough()));

/** What the kinds of values are asked for, and the candidates. */
function completed(...words: readonly string[]): string[] {
  const { candidates } = complete(program, words, (kind, prefix) => ({
    candidates: [{ value: `<${kind} ${prefix}>` }],
  }));
  return candidates.map(({ value }) => value);
}

test('verbs are completed at every level', () => {
  assert.deepEqual(completed('complet'), ['completion']);
  assert.deepEqual(completed('oci', 'expo'), ['export']);
  assert.ok(completed('').includes('init'));
  assert.ok(!completed('').includes('__complete'));
  assert.deepEqual(completed('help', 'oci', 'expo'), ['export']);
  assert.deepEqual(completed('oci', 'help', 'expo'), ['export']);
});

test('options are completed, those of the program too, and none twice', () => {
  assert.deepEqual(completed('oci', 'export', '--recom'), ['--recompress']);
  assert.deepEqual(completed('--rep'), ['--repo']);
  assert.deepEqual(completed('oci', 'export', '--rep'), ['--repo']);
  assert.deepEqual(completed('oci', 'export', '--force', '--forc'), []);
  assert.deepEqual(completed('--insecu'), []);
  assert.deepEqual(completed('oci', 'export', '--', '--forc'), ['<image --forc>']);
});

test('values of options are completed', () => {
  assert.deepEqual(completed('--hash', ''), ['sha256', 'sha512']);
  assert.deepEqual(completed('--hash=sha5'), ['--hash=sha512']);
  assert.deepEqual(completed('oci', 'export', '--recompress=z'), ['--recompress=zstd']);
  assert.deepEqual(completed('--repo', 'a'), ['<directories a>']);
  assert.deepEqual(completed('--repo=a'), ['--repo=<directories a>']);
  assert.deepEqual(completed('oci', 'pull', '--authfile', 'a'), ['<files a>']);
  assert.deepEqual(completed('oci', 'export', '--nonsense=a'), []);
  // An option with an implied value takes no word.
  assert.deepEqual(completed('oci', 'export', '--recompress', 'x'), ['<image x>']);
});

test('arguments are completed by what they are', () => {
  assert.deepEqual(completed('oci', 'pull', 'x'), ['<source x>']);
  assert.deepEqual(completed('oci', 'pull', 'x', 'y'), ['<tag y>']);
  assert.deepEqual(completed('oci', 'pull', 'x', 'y', 'z'), []);
  assert.deepEqual(completed('--repo', 'r', 'oci', 'mount', '--verify', 'a', ''), ['<directories >']);
  assert.deepEqual(completed('oci', 'find', 'a', 'b', 'c'), ['<image c>']);
  assert.deepEqual(completed('oci', 'push', 'a', 'd'), ['<push-target d>']);
  assert.deepEqual(completed('oci', 'login', 'q'), ['<registry q>']);
});

test('a repository lends its names, and what is missing is no error', (context) => {
  const repo = tempDir(context);
  const digest = `sha256:${'ab'.repeat(32)}`;
  mkdirSync(join(repo, 'streams', 'refs', 'oci'), { recursive: true });
  mkdirSync(join(repo, 'images', 'refs'), { recursive: true });
  for (const tag of ['app', 'a%2Fb:1', 'docker:%2F%2Fquay.io%2Fteam%2Fapp:1', 'localhost:5000%2Fx']) {
    writeFileSync(join(repo, 'streams', 'refs', 'oci', tag), '');
  }
  for (const stream of [`oci-manifest-${digest}`, `oci-layer-${digest}`])
    writeFileSync(join(repo, 'streams', stream), '');
  writeFileSync(join(repo, 'images', 'refs', 'mine'), '');
  const values = (kind: Parameters<typeof findValues>[0], prefix: string, path = repo): string[] =>
    findValues(kind, prefix, path)
      .candidates.map(({ value }) => value)
      .sort();
  assert.deepEqual(values('image', 'a'), ['a/b:1', 'app']);
  assert.deepEqual(values('image', 'sha256:a'), [digest]);
  assert.deepEqual(values('image', '@sha256:'), [`@${digest}`]);
  assert.deepEqual(values('layer', ''), [digest]);
  assert.deepEqual(values('composefs-image', ''), ['refs/mine']);
  assert.deepEqual(values('source', 'o'), ['oci-archive:', 'oci:']);
  assert.deepEqual(values('push-target', 'docker://q'), ['docker://quay.io/', 'docker://quay.io/team/app:1']);
  assert.deepEqual(values('push-target', 'docker://localhost:'), [
    'docker://localhost:5000/',
    'docker://localhost:5000/x',
  ]);
  for (const kind of ['image', 'tag', 'layer', 'composefs-image', 'stream'] as const) {
    assert.deepEqual(values(kind, '', '/nowhere'), []);
  }
});

test('behind a transport there are paths, and the tags of a layout', (context) => {
  const directory = tempDir(context);
  const layout = new LayoutBuilder().addImage(fxOci(), { tag: 'v1' }).addImage(fxOci(), { tag: 'v2' });
  layout.write(join(directory, 'lay'));
  writeFileSync(join(directory, 'last.tar'), '');
  mkdirSync(join(directory, '.hidden'));
  const values = (text: string): string[] =>
    findValues('source', text.replace('DIR', directory), '/nowhere').candidates.map(({ value }) =>
      value.replace(directory, 'DIR'),
    );
  assert.deepEqual(values('oci:DIR/l'), ['oci:DIR/lay/']);
  assert.deepEqual(values('oci:DIR/'), ['oci:DIR/lay/']);
  assert.deepEqual(values('oci:DIR/lay:'), ['oci:DIR/lay:v1', 'oci:DIR/lay:v2']);
  assert.deepEqual(values('oci-archive:DIR/las'), ['oci-archive:DIR/last.tar']);
  assert.deepEqual(values('dir:DIR/.h'), ['dir:DIR/.hidden/']);
  assert.deepEqual(values('oci:/nowhere/x'), []);
});

test('a line is taken apart as a shell does it', () => {
  const cases: [string, string[]][] = [
    ['cfsctl oci ', ['cfsctl', 'oci', '']],
    ['cfsctl  oci pu', ['cfsctl', 'oci', 'pu']],
    [`cfsctl --repo 'my repo' "a\\"b" c\\ d`, ['cfsctl', '--repo', 'my repo', 'a"b', 'c d']],
    [`cfsctl ''`, ['cfsctl', '']],
    [`cfsctl 'open`, ['cfsctl', 'open']],
    ['true; cfsctl g', ['cfsctl', 'g']],
    ['a | cfsctl && cfsctl x', ['cfsctl', 'x']],
    ['', ['']],
    ['cfsctl \\', ['cfsctl', '']],
  ];
  for (const [line, words] of cases) assert.deepEqual(shellWords(line), words, line);
});
