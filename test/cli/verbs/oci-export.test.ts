import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { cfsctlBytes } from '../../support/cfsctl.js';
import { CfsctlFixtures } from '../../support/cfsctl-fixtures.js';
import { fxOci } from '../../support/oci-fixtures.js';
import { findInPath, runProgram } from '../../support/programs.js';

const fixtures = new CfsctlFixtures();
after(() => fixtures.remove());

const image = fxOci();
const MANIFEST = image.manifest.descriptor.digest;
const CONFIG = image.config.descriptor.digest;

test('oci export prints the digest of what it wrote, and of what was pulled if that is another', () => {
  const repository = fixtures.pulled();
  const out = fixtures.path('out');
  const { status, stdout, stderr } = repository.run(
    'oci',
    'export',
    '--recompress=zstd',
    'test-image',
    `oci:${out}:v1`,
  );
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  const [manifest = '', ...rest] = stdout.split('\n');
  assert.match(manifest, /^manifest sha256:[0-9a-f]{64}$/);
  assert.deepEqual(rest, [`pulled   ${MANIFEST}`, `config   ${CONFIG}`, `written  oci:${out}:v1`, '']);
  const [, digest = ''] = manifest.split(' ');
  assert.equal(repository.ok('oci', 'pull', '--quiet', `oci:${out}:v1`, 'again'), digest);
  const dry = ['oci', 'export', '--dry-run', '--recompress=zstd', 'test-image', `oci:${out}`];
  assert.equal(repository.ok(...dry, '-q'), digest);
  assert.deepEqual(repository.json(...dry, '--json'), {
    manifest_digest: digest,
    config_digest: CONFIG,
    pulled_digest: MANIFEST,
    target: `oci:${out}`,
  });
});

test('oci export says what it would take to write an image under another digest', () => {
  const out = fixtures.path('out');
  const { status, stdout, stderr } = fixtures.pulled().run('oci', 'export', 'test-image', `oci:${out}`);
  assert.deepEqual({ status, stdout }, { status: 1, stdout: '' });
  assert.equal(
    stderr,
    `Error: The image cannot leave with the digest ${MANIFEST}: of its layer ${image.diffIds[0]} only the content is ` +
      'stored, not the blob that was pulled\n\n' +
      'hint: --recompress compresses it anew, which gives the image another digest\n',
  );
  assert.equal(existsSync(out), false);
});

test('oci export writes archives to standard output, and what it has to say to standard error', () => {
  const repository = fixtures.pulled();
  for (const target of ['docker-archive:FILE:app:1', 'tar:FILE', 'oci-archive:FILE:v1']) {
    const file = fixtures.path('file');
    const args = ['oci', 'export', '--recompress=none', 'test-image'];
    repository.ok(...args, target.replace('FILE', file));
    const all = ['--insecure', '--repo', repository.path, ...args, target.replace('FILE', '-')];
    const { status, stdout, stderr } = cfsctlBytes(all);
    assert.equal(status, 0);
    assert.deepEqual(stdout, readFileSync(file), target);
    assert.match(stderr, /^(manifest sha256:.*\npulled .*\n)?config {3}sha256:.*\nwritten .*\n$/);
  }
});

test('oci export tar: has the files of the image', { skip: findInPath('tar') === undefined ? 'no tar' : false }, () => {
  const repository = fixtures.pulled();
  const file = fixtures.path('file');
  repository.ok('oci', 'export', 'test-image', `tar:${file}`);
  assert.equal(runProgram('tar', ['-tf', file]).toString(), './\nhello-link.txt\nhello.txt\nusr/\n');
  assert.equal(runProgram('tar', ['-xOf', file, 'hello-link.txt']).toString(), 'hello from test layer\n');
});

test('oci export: wrong usage', () => {
  const repository = fixtures.pulled();
  const fails = (expected: RegExp, ...args: readonly string[]): void => {
    const { status, stdout, stderr } = repository.run('oci', 'export', ...args);
    assert.deepEqual({ status, stdout }, { status: 2, stdout: '' });
    assert.match(stderr, expected);
  };
  fails(/^error: invalid value 'x' for '<TARGET>': 'x' is nothing that an image can be exported to/, 'test-image', 'x');
  fails(/<TARGET>/, 'test-image');
  fails(/\[possible values: same, gzip, zstd, none\]/, '--recompress=xz', 'test-image', 'oci:x');
  fails(/--recompress/, '--level', '3', 'test-image', 'oci:x');
  fails(/not a number from 1 to 22/, '--recompress', '--level', '23', 'test-image', 'oci:x');
});

test('oci export: what cannot be', () => {
  const repository = fixtures.pulled();
  const fails = (expected: RegExp, ...args: readonly string[]): void => {
    const { status, stdout, stderr } = repository.run('oci', 'export', ...args);
    assert.deepEqual({ status, stdout }, { status: 1, stdout: '' });
    assert.match(stderr, expected);
  };
  const out = fixtures.path('out');
  fails(/OCI reference not found: nope/, 'nope', `oci:${out}`);
  fails(
    /no level 10 of the compression 'gzip': it has the levels 1 to 9/,
    '--recompress',
    '--level=10',
    'test-image',
    `oci:${out}`,
  );
  assert.equal(existsSync(out), false);
});
