import assert from 'node:assert/strict';
import { accessSync, constants, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { CFSCTL, cfsctl } from '../../support/cfsctl.js';
import { CfsctlFixtures } from '../../support/cfsctl-fixtures.js';
import { withTempDir } from '../../support/paths.js';
import { until } from '../../support/until.js';

const fixtures = new CfsctlFixtures();
after(() => fixtures.remove());

test('umount says of each mount point what is wrong with it', () => {
  withTempDir((directory) => {
    const one = cfsctl(['umount', directory]);
    assert.equal(one.status, 1);
    assert.match(one.stderr, new RegExp(`^Error: ${directory} is not a mount point\n\nhint: findmnt shows`));
    const two = cfsctl(['umount', '--lazy', directory, '/proc']);
    assert.equal(two.status, 1);
    assert.equal(
      two.stderr,
      `Error: 2 of 2 could not be unmounted: ${directory} is not a mount point; ` +
        "/proc is not a composefs mount: it is proc, mounted from 'proc'\n",
    );
    assert.equal(cfsctl(['umount']).status, 2);
  });
});

test('unshare passes on the arguments and the exit status', (t) => {
  const first = cfsctl(['unshare', 'sh', '-c', 'id -u; exit 7']);
  if (/no user namespace can be made here/.test(first.stderr)) {
    t.skip(first.stderr);
    return;
  }
  assert.deepEqual(first, { status: 7, stdout: '0\n', stderr: '' });
  assert.equal(cfsctl(['unshare', '--', 'echo', '-n', '--help']).stdout, '--help');
  assert.equal(cfsctl(['unshare', 'sh', '-c', 'kill -KILL $$']).status, 137);
  assert.equal(cfsctl(['unshare', 'no-such-program-anywhere']).status, 127);
  assert.equal(
    cfsctl(['unshare'], { input: 'echo from the shell', env: { SHELL: '/bin/sh' } }).stdout,
    'from the shell\n',
  );
});

test('without a program that makes user namespaces, unshare says what to install', () => {
  const { status, stderr } = cfsctl(['unshare', 'true'], { env: { PATH: '/nonexistent' } });
  assert.equal(status, 1);
  assert.match(stderr, /^Error: no user namespace can be made here: unshare: not installed; podman: not installed\n/);
});

test('doctor prints lines for people, or JSON of a fixed shape', () => {
  withTempDir((directory) => {
    const text = cfsctl(['--repo', directory, 'doctor']);
    assert.equal(text.status, 0);
    assert.match(text.stdout, /^✓ ok {7}Node\.js {16}[0-9.]+, /);
    assert.match(text.stdout, /^✗ missing {2}Repository {13}there is none at /m);
    const { ok, checks } = JSON.parse(cfsctl(['--repo', directory, 'doctor', '--json']).stdout);
    assert.equal(ok, true);
    for (const check of checks) {
      assert.deepEqual(Object.keys(check), ['check', 'title', 'state', 'necessary', 'detail', 'remedy']);
    }
  });
});

test('in unshare an image is mounted writable, and its server ends with the last command inside', async (t) => {
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
  } catch (error) {
    t.skip(String(error));
    return;
  }
  const repository = fixtures.pulled();
  const directory = fixtures.emptyDirectory();
  for (const name of ['upper', 'work', 'mnt']) mkdirSync(join(directory, name));
  // Not in this process's namespace, so `cfsctl umount` is left out on purpose.
  const script = `set -e
    "$@" oci mount --read-write --upperdir upper --workdir work test-image mnt
    readlink /proc/self/ns/mnt
    echo new > mnt/new-file
    ls mnt`;
  const command = [process.execPath, CFSCTL, '--insecure', '--repo', repository.path];
  const run = cfsctl(['unshare', 'sh', '-c', script, 'sh', ...command], { cwd: directory });
  if (/no user namespace can be made here|EACCES|EPERM/.test(run.stderr)) {
    t.skip(run.stderr);
    return;
  }
  assert.equal(run.stderr, '');
  const [namespace = '', ...names] = run.stdout.trim().split('\n');
  assert.match(namespace, /^mnt:\[[0-9]+\]$/);
  assert(names.includes('new-file') && names.length > 1, run.stdout);
  assert.equal(readFileSync(join(directory, 'upper/new-file'), 'utf8'), 'new\n');
  assert.deepEqual(readdirSync(join(directory, 'mnt')), []);
  await until(() => processesIn(namespace).length === 0);
  assert.deepEqual(processesIn(namespace), []);
});

function processesIn(namespace: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/ns/mnt`) === namespace;
    } catch {
      return false;
    }
  });
}
