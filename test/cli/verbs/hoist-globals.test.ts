import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { after, test } from 'node:test';
import { createProgram } from '../../../src/cli/program.js';
import { Output } from '../../../src/cli/terminal/output.js';
import { hoistGlobals } from '../../../src/cli/verbs/hoist-globals.js';
import { Repository } from '../../../src/composefs/repository/index.js';
import { cfsctl, startCfsctl } from '../../support/cfsctl.js';
import { CfsctlFixtures } from '../../support/cfsctl-fixtures.js';

const fixtures = new CfsctlFixtures();
after(() => fixtures.remove());

const CASES: readonly (readonly [line: string, hoisted: string])[] = [
  ['--repo R oci images', '--repo R oci images'],
  ['oci images --repo R --json', '--repo=R oci images --json'],
  ['oci --repo=R images --insecure', '--repo=R --insecure oci images'],
  // Options of the verb itself, with their values.
  ['init --erofs-version 2 --algorithm --repo P', 'init --erofs-version 2 --algorithm --repo P'],
  ['gc -r --repo -n', 'gc -r --repo -n'],
  ['oci pull --tls-verify --repo R x', '--repo=R oci pull --tls-verify x'],
  // What follows is not ours.
  ['oci tag A -- --repo', 'oci tag A -- --repo'],
  ['unshare --user', '--user unshare'],
  ['unshare ls --user', 'unshare ls --user'],
  ['oci nothing --repo R', '--repo=R oci nothing'],
  ['oci images --none', 'oci images --none'],
];

for (const [line, hoisted] of CASES) {
  test(`global options of: ${line}`, () => {
    const program = createProgram(new Output(new PassThrough()));
    assert.equal(hoistGlobals(program, line.split(' ')).join(' '), hoisted);
  });
}

test('the repository may be named behind the verb, or in the environment', () => {
  const { path } = fixtures.pulled();
  const shown = cfsctl(['--repo', path, 'oci', 'images']);
  assert.equal(shown.status, 0);
  assert.deepEqual(cfsctl(['oci', 'images', '--repo', path]), shown);
  assert.deepEqual(cfsctl(['oci', 'images'], { env: { COMPOSEFS_REPO: path } }), shown);
  const other = cfsctl(['--repo', '/nonexistent', 'oci', 'images'], { env: { COMPOSEFS_REPO: path } });
  assert.match(other.stderr, /^Error: opening repository \/nonexistent\n/);
});

test('gc says for whom it waits', async () => {
  const { path } = fixtures.pulled();
  const holder = await Repository.open(path);
  const waiting = startCfsctl(['--repo', path, 'gc', '--insecure']);
  const said = await new Promise<string>((resolve) => {
    waiting.stderr?.once('data', (data) => resolve(String(data)));
  });
  assert.equal(
    said,
    `warning: waiting: ${readFileSync('/proc/self/comm', 'utf8').trim()} ${process.pid} has the repository open\n`,
  );
  holder.close();
  assert.equal(await new Promise((resolve) => waiting.once('exit', resolve)), 0);
});
