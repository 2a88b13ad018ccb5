import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TestRegistry } from '../../src/testing/index.js';
import { put } from '../oci/registry/registry-support.js';
import { CFSCTL, type CommandResult, expectSuccess, runCfsctl } from '../support/cfsctl.js';
import { outputOf } from '../support/child-output.js';
import { fxOci } from '../support/oci-fixtures.js';

/** `cfsctl oci login`, `logout` and pulls from registries, as users type them. */

const directory = mkdtempSync(join(tmpdir(), 'composefs-oci-test-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const env = { HOME: directory, XDG_RUNTIME_DIR: join(directory, 'run'), REGISTRY_AUTH_FILE: undefined };
const authFile = join(directory, 'run', 'containers', 'auth.json');
const entry = (text: string): { auth: string } => ({ auth: Buffer.from(text).toString('base64') });

async function run(args: readonly string[], input = ''): Promise<CommandResult> {
  return await runCfsctl(args, { env, input });
}

let count = 0;
async function repository(): Promise<string> {
  count += 1;
  const path = join(directory, `repo-${count}`);
  expectSuccess(await run(['init', '--insecure', path]));
  return path;
}

for (const type of ['basic', 'bearer'] as const) {
  describe(`a registry with ${type} authentication`, () => {
    let registry: TestRegistry;
    const image = fxOci();
    before(async () => {
      registry = await TestRegistry.start({ auth: { type, users: { ann: 's:cret' } } });
      put(registry, 'my/image', image);
    });
    after(() => registry.close());

    test('login, pull, logout', async () => {
      const { host } = registry;
      const repo = await repository();
      const pull = ['--repo', repo, 'oci', 'pull', '--tls-verify=false', registry.reference('my/image'), 'tag'];

      const stranger = await run(pull);
      assert.equal(stranger.status, 1);
      assert.match(stranger.stderr, new RegExp(`hint: .*log in: cfsctl oci login ${host}`));

      const wrong = await run(['oci', 'login', '--tls-verify=false', '-u', 'ann', '-p', 'x', host]);
      assert.deepEqual(
        { ...wrong, stderr: wrong.stderr.split('\n')[0] },
        {
          status: 1,
          stdout: '',
          stderr: `Error: ${host} does not let the user 'ann' in`,
        },
      );

      const login = await run(
        ['oci', 'login', '--tls-verify=false', '-u', 'ann', '--password-stdin', host],
        's:cret\n',
      );
      assert.deepEqual(login, { status: 0, stdout: 'Login Succeeded!\n', stderr: '' });
      assert.deepEqual(JSON.parse(readFileSync(authFile, 'utf8')), { auths: { [host]: entry('ann:s:cret') } });
      assert.equal(statSync(authFile).mode & 0o777, 0o600);
      assert.equal(expectSuccess(await run(['oci', 'login', '--get-login', host])), 'ann');

      const pulled = expectSuccess(await run(pull));
      assert.equal(pulled.split('\n')[0], `manifest ${image.manifest.descriptor.digest}`);

      const logout = await run(['oci', 'logout', host]);
      assert.deepEqual(logout, { status: 0, stdout: `Removed login credentials for ${host}\n`, stderr: '' });
      const again = await run(['oci', 'logout', host]);
      assert.equal(again.status, 1);
      assert.match(again.stderr, new RegExp(`^Error: Not logged in to ${host}\n`));
      assert.equal((await run(['oci', 'login', '--get-login', host])).status, 1);
    });

    test('--creds', async () => {
      const args = ['--repo', await repository(), 'oci', 'pull', '--tls-verify=false', '--quiet'];
      const reference = registry.reference('my/image');
      const good = await run([...args, '--creds', 'ann:s:cret', reference, 'tag']);
      assert.deepEqual(good, { status: 0, stdout: `${image.manifest.descriptor.digest}\n`, stderr: '' });
      const asked = await run([...args, '--creds', 'ann', reference]);
      assert.equal(asked.status, 1);
      assert.match(asked.stderr, /^Error: There is no terminal to ask for the password of 'ann'\n\nhint: /);
      const empty = await run([...args, '--creds', ':x', reference]);
      assert.deepEqual(
        [empty.status, empty.stderr.split('\n')[0]],
        [2, "error: invalid value for '--creds <USER[:PASSWORD]>': the user name is empty"],
      );
    });
  });
}

describe('a registry for everybody', () => {
  let registry: TestRegistry;
  const image = fxOci();
  before(async () => {
    registry = await TestRegistry.start();
    put(registry, 'my/image', image);
  });
  after(() => registry.close());

  test('--json: what was fetched, and what was there', async () => {
    const repo = await repository();
    const pull = ['--repo', repo, 'oci', 'pull', '--tls-verify=false', '--json', registry.reference('my/image'), 'tag'];
    const first = JSON.parse(expectSuccess(await run(pull)));
    const second = JSON.parse(expectSuccess(await run(pull)));
    const [layer] = image.layers;
    const size = layer?.descriptor.size;
    const common = { id: image.diffIds[0], digest: layer?.descriptor.digest, size, bytes_resumed: 0 };
    assert.deepEqual(first.layers, [{ ...common, reused: false, bytes_fetched: size }]);
    assert.deepEqual(second.layers, [{ ...common, reused: true, bytes_fetched: 0 }]);
    assert.deepEqual([first.bytes_fetched, second.bytes_fetched], [size, 0]);
    assert.equal(first.manifest_digest, image.manifest.descriptor.digest);
    assert.deepEqual(
      first.images.map(({ format_version }: { format_version: string }) => format_version),
      ['V1'],
    );
    assert.equal(typeof first.seconds, 'number');
    assert.deepEqual(first.images, second.images);
  });

  test('--referrers', async () => {
    const empty = registry.putBlob('my/image', Buffer.from('{}'));
    const mediaType = 'application/vnd.oci.empty.v1+json';
    const config = { mediaType, digest: empty.digest, size: empty.size };
    const { digest } = registry.putManifest('my/image', {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      artifactType: 'text/plain',
      config,
      layers: [config],
      subject: image.manifest.descriptor,
    });
    const pull = ['--repo', await repository(), 'oci', 'pull', '--tls-verify=false', '--json'];
    const reference = registry.reference('my/image');
    const without = JSON.parse(expectSuccess(await run([...pull, reference, 'tag'])));
    assert.deepEqual(without.referrers, []);
    const result = JSON.parse(expectSuccess(await run([...pull, '--referrers', reference, 'tag'])));
    assert.deepEqual(result.referrers, [digest]);
  });

  test('--progress json on standard error, --progress-fd on any descriptor', async () => {
    const reference = registry.reference('my/image');
    const kinds = (text: string): Set<string> =>
      new Set(
        text
          .trimEnd()
          .split('\n')
          .map((line): string => JSON.parse(line).type),
      );
    const expected = new Set(['message', 'plan', 'started', 'progress', 'done']);
    const pull = ['oci', 'pull', '--tls-verify=false'];
    const json = await run(['--repo', await repository(), ...pull, '--progress', 'json', reference, 'tag']);
    assert.deepEqual(kinds(json.stderr), expected);

    const file = join(directory, 'progress');
    const fd = openSync(file, 'w');
    const args = [CFSCTL, '--repo', await repository(), ...pull, '--progress-fd=3', reference, 'tag'];
    const child = spawn(process.execPath, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe', fd],
    });
    assert.deepEqual(await outputOf(child), { status: 0, signal: null, stdout: '', stderr: '' });
    assert.deepEqual(kinds(readFileSync(file, 'utf8')), expected);

    const closed = await run(['--repo', await repository(), ...pull, '--progress-fd=77', reference]);
    assert.deepEqual(
      [closed.status, closed.stderr.split('\n')[0]],
      [2, "error: invalid value '77' for '--progress-fd <FD>': not a descriptor that was opened for writing"],
    );
  });

  test('an alias of registries.conf, and a policy that refuses', async () => {
    const conf = join(directory, 'registries.conf');
    writeFileSync(
      conf,
      `[aliases]\n"short" = "${registry.host}/my/image"\n[[registry]]\nlocation = "${registry.host}"\ninsecure = true\n`,
    );
    const pull = ['--repo', await repository(), 'oci', 'pull', '--registries-conf', conf];
    assert.match(expectSuccess(await run([...pull, 'short'])), /\ntagged {3}short\n/);
    const policy = join(directory, 'policy.json');
    writeFileSync(policy, '{"default":[{"type":"reject"}]}');
    const refused = await run([...pull, '--signature-policy', policy, 'short']);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, new RegExp(policy));
  });
});

test('what login and logout refuse', async () => {
  const cases: readonly (readonly [args: readonly string[], status: number, message: string])[] = [
    [['login', 'a.b'], 1, 'Error: There is no terminal to ask for a user name'],
    [['login', '-u', 'ann', 'a.b'], 1, 'Error: There is no terminal to ask for a password'],
    [['login', '--password-stdin', 'a.b'], 2, 'error: the following required arguments were not provided:'],
    [
      ['login', 'a b'],
      2,
      "error: invalid value 'a b' for '<REGISTRY>': 'a b' is no registry: 'a b' is no host name with an optional port",
    ],
    [['logout'], 2, 'error: the following required arguments were not provided:'],
    [
      ['logout', '--all', '--authfile', '/nowhere/auth.json'],
      1,
      'Error: There is no file /nowhere/auth.json with credentials',
    ],
    [['logout', '--all', 'a.b'], 2, "error: the argument '--all' cannot be used with '[REGISTRY]'"],
    [['pull', '--tls-verify=maybe', 'x'], 2, "error: invalid value 'maybe' for '--tls-verify[=<TLS_VERIFY>]'"],
  ];
  for (const [args, status, message] of cases) {
    const result = await run(['oci', ...args]);
    assert.deepEqual([result.status, result.stderr.split('\n')[0]], [status, message]);
  }
});
