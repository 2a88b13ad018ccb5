import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { errorChain } from '../../../src/errors.js';
import { credentialKeys, findCredentials } from '../../../src/oci/containers-config/credentials.js';
import type { RegistryConfigOptions } from '../../../src/oci/containers-config/registry-config.js';
import { authEntry, configIn } from '../registry/config-fixtures.js';

const RUNTIME = 'run/containers/auth.json';
const CONFIG = 'home/.config/containers/auth.json';
const DOCKER = 'home/.docker/config.json';
const LEGACY = 'home/.dockercfg';

function auths(entries: Readonly<Record<string, string>>): string {
  const all = Object.entries(entries).map(([key, user]) => [key, authEntry(user, `${user}-secret`)]);
  return JSON.stringify({ auths: Object.fromEntries(all) });
}

/** A helper that answers for one server, and notes what it was asked. */
function helper(server: string, user: string, secret: string): string {
  return `#!/bin/sh
server=$(cat)
echo "$1 $server" >> "$HOME/asked"
if [ "$server" = '${server}' ]; then echo '{"ServerURL":"${server}","Username":"${user}","Secret":"${secret}"}'; exit 0; fi
echo 'credentials not found in native keychain'
exit 1
`;
}

async function user(host: string, repository: string, options: RegistryConfigOptions): Promise<string | undefined> {
  return (await findCredentials(host, repository, options))?.username;
}

test('the files are looked at in the order of podman, and the first with an entry counts', async (t) => {
  const files: Record<string, string> = {};
  for (const [path, name] of [
    [LEGACY, 'legacy'],
    [DOCKER, 'docker'],
    [CONFIG, 'config'],
    [RUNTIME, 'runtime'],
  ] as const) {
    files[path] = path === LEGACY ? JSON.stringify({ 'a.b': authEntry(name, 'x') }) : auths({ 'a.b': name });
    const options = configIn(t, files);
    assert.equal(await user('a.b', 'c', options), name);
    assert.equal(await user('other', 'c', options), undefined);
  }
});

test('a named file is the only one', async (t) => {
  const options = configIn(t, {
    [RUNTIME]: auths({ 'a.b': 'runtime', 'c.d': 'runtime' }),
    named: auths({ 'a.b': 'named' }),
  });
  const authFile = join(options.root, 'named');
  assert.equal(await user('a.b', 'x', { ...options, authFile }), 'named');
  assert.equal(await user('c.d', 'x', { ...options, authFile }), undefined);
  const environment = { ...options.environment, REGISTRY_AUTH_FILE: authFile };
  assert.equal(await user('a.b', 'x', { ...options, environment }), 'named');
  await assert.rejects(findCredentials('a.b', 'x', { ...options, authFile: join(options.root, 'none') }), {
    code: 'INVALID_AUTH_FILE',
  });
});

test('XDG_CONFIG_HOME and DOCKER_CONFIG move their files', async (t) => {
  const options = configIn(t, {
    'c/containers/auth.json': auths({ 'a.b': 'config' }),
    'd/config.json': auths({ 'c.d': 'docker' }),
  });
  const environment = {
    ...options.environment,
    XDG_CONFIG_HOME: join(options.root, 'c'),
    DOCKER_CONFIG: join(options.root, 'd'),
  };
  assert.equal(await user('a.b', 'x', { ...options, environment }), 'config');
  assert.equal(await user('c.d', 'x', { ...options, environment }), 'docker');
});

test('the longest key counts', async (t) => {
  assert.deepEqual(credentialKeys('h:5', 'a/b'), ['h:5/a/b', 'h:5/a', 'h:5']);
  const options = configIn(t, {
    [RUNTIME]: auths({ 'h:5': 'host', 'h:5/a': 'ns', 'h:5/a/b': 'repo', 'h:5/a/b/c': 'deeper' }),
  });
  assert.equal(await user('h:5', 'a/b', options), 'repo');
  assert.equal(await user('h:5', 'a/c', options), 'ns');
  assert.equal(await user('h:5', 'ab/c', options), 'host');
  assert.equal(await user('h', 'a/b', options), undefined);
});

test('credentials say where they are from, and never what they are', async (t) => {
  const options = configIn(t, { [RUNTIME]: auths({ 'a.b/ns': 'me' }) });
  assert.deepEqual(await findCredentials('a.b', 'ns/x', options), {
    username: 'me',
    password: 'me-secret',
    origin: `${join(options.root, RUNTIME)}, entry 'a.b/ns'`,
  });
});

test("docker's names for its registry are known", async (t) => {
  for (const key of ['https://index.docker.io/v1/', 'index.docker.io', 'docker.io', 'https://registry-1.docker.io']) {
    assert.equal(await user('docker.io', 'library/debian', configIn(t, { [DOCKER]: auths({ [key]: 'me' }) })), 'me');
  }
  assert.equal(
    await user('a.b', 'c', configIn(t, { [LEGACY]: JSON.stringify({ 'http://a.b/v1/': authEntry('me', 'x') }) })),
    'me',
  );
});

test('a key for a namespace is not for the whole host', async (t) => {
  assert.equal(await user('a.b', 'other', configIn(t, { [RUNTIME]: auths({ 'a.b/ns': 'me' }) })), undefined);
});

test('passwords may hold colons, entries may be empty, and identity tokens come without a password', async (t) => {
  const entries = {
    'colon.io': authEntry('me', 'a:b:c'),
    'empty.io': {},
    'nocolon.io': { auth: Buffer.from('nothing').toString('base64') },
    'token.io': { auth: Buffer.from('me:').toString('base64'), identitytoken: 'refresh' },
    'tokenonly.io': { identitytoken: 'refresh' },
  };
  const options = configIn(t, { [RUNTIME]: JSON.stringify({ auths: entries }) });
  assert.equal((await findCredentials('colon.io', 'x', options))?.password, 'a:b:c');
  assert.equal(await findCredentials('empty.io', 'x', options), undefined);
  assert.equal(await findCredentials('nocolon.io', 'x', options), undefined);
  const origin = `${join(options.root, RUNTIME)}, entry 'token.io'`;
  assert.deepEqual(await findCredentials('token.io', 'x', options), {
    username: 'me',
    identityToken: 'refresh',
    origin,
  });
  assert.equal((await findCredentials('tokenonly.io', 'x', options))?.identityToken, 'refresh');
});

test('files that cannot be understood are errors without their content', async (t) => {
  for (const content of [
    '{"auths": {"a.b": {"auth": "c2VjcmV0',
    '[]',
    '{"auths": []}',
    '{"auths": {"a.b": "c2VjcmV0"}}',
    '{"auths": {"a.b": {"auth": "c2VjcmV0!"}}}',
    '{"auths": {"a.b": {"auth": 17}}}',
    '{"credHelpers": {"a.b": 1}}',
  ]) {
    const options = configIn(t, { [RUNTIME]: content });
    await assert.rejects(findCredentials('a.b', 'c', options), (error: unknown) => {
      const text = errorChain(error).join(': ');
      assert.ok(text.includes(join(options.root, RUNTIME)), text);
      assert.ok(!text.includes('c2VjcmV0'), text);
      return true;
    });
  }
});

test('the helper of a registry is asked in place of the entry in its file', async (t) => {
  const options = configIn(t, {
    [RUNTIME]: JSON.stringify({ auths: { 'a.b': authEntry('file', 'x') }, credHelpers: { 'a.b': 'test' } }),
    'bin/docker-credential-test': helper('a.b', 'helped', 'pw'),
  });
  assert.deepEqual(await findCredentials('a.b', 'ns/c', options), {
    username: 'helped',
    password: 'pw',
    origin: `docker-credential-test (${join(options.root, RUNTIME)}), entry 'a.b'`,
  });
  assert.equal(readFileSync(join(options.root, 'home/asked'), 'utf8'), 'get a.b\n');
});

test("a helper's user <token> has an identity token", async (t) => {
  const options = configIn(t, {
    [RUNTIME]: JSON.stringify({ credHelpers: { 'a.b': 'test' } }),
    'bin/docker-credential-test': helper('a.b', '<token>', 'refresh'),
  });
  const found = await findCredentials('a.b', 'c', options);
  assert.deepEqual([found?.identityToken, found?.username, found?.password], ['refresh', undefined, undefined]);
});

test('credsStore serves what the file has no entry for', async (t) => {
  const options = configIn(t, {
    [DOCKER]: JSON.stringify({
      auths: { 'a.b': authEntry('file', 'x'), 'https://index.docker.io/v1/': {} },
      credsStore: 'test',
    }),
    'bin/docker-credential-test': helper('https://index.docker.io/v1/', 'hub', 'pw'),
  });
  assert.equal(await user('a.b', 'c', options), 'file');
  assert.equal(await user('docker.io', 'library/debian', options), 'hub');
  assert.equal(await user('other', 'x', options), undefined);
});

test('credential-helpers of registries.conf are asked in their order', async (t) => {
  const files = {
    [RUNTIME]: auths({ 'a.b': 'file', 'c.d': 'file' }),
    'bin/docker-credential-test': helper('a.b', 'helped', 'pw'),
  };
  const conf = (list: string): Record<string, string> => ({
    ...files,
    'etc/containers/registries.conf': `credential-helpers = [${list}]\n`,
  });
  const first = configIn(t, conf('"test", "containers-auth.json"'));
  assert.equal(await user('a.b', 'x', first), 'helped');
  assert.equal(await user('c.d', 'x', first), 'file');
  const last = configIn(t, conf('"containers-auth.json", "test"'));
  assert.equal(await user('a.b', 'x', last), 'file');
  assert.equal(await user('c.d', 'x', configIn(t, conf('"test"'))), undefined);
  assert.equal(await user('c.d', 'x', configIn(t, conf('"missing", "containers-auth.json"'))), 'file');
});

test('helpers that fail, answer nonsense or hang are clear errors', async (t) => {
  const run = async (script: string, signal?: AbortSignal): Promise<unknown> => {
    const options = configIn(t, {
      [RUNTIME]: JSON.stringify({ credHelpers: { 'a.b': 'test' } }),
      'bin/docker-credential-test': `#!/bin/sh\n${script}\n`,
    });
    return await findCredentials('a.b', 'c', { ...options, signal }).then(
      () => assert.fail('no error'),
      (error: unknown) => errorChain(error).join(': '),
    );
  };
  assert.equal(await run('echo locked; exit 2'), 'docker-credential-test get fails for a.b with status 2: locked');
  assert.equal(
    await run('echo "{\\"Secret\\":\\"s3\\"}"; exit 2'),
    'docker-credential-test get fails for a.b with status 2',
  );
  assert.equal(
    await run('echo "{\\"Secret\\":\\"s3\\"}"'),
    'docker-credential-test does not answer with credentials for a.b',
  );
  assert.equal(await run('head -c 3000000 /dev/zero'), 'docker-credential-test answers with more than 1048576 bytes');
  assert.match(String(await run('exec sleep 60', AbortSignal.timeout(200))), /timeout/);
});

test('a helper that is not installed is told of, and other places count', async (t) => {
  const missing = async (files: Record<string, string>, host = 'a.b'): Promise<string> => {
    const told: string[] = [];
    const options = configIn(t, files);
    const found = await findCredentials(host, 'c', options, (error) => told.push(error.message));
    return [...told, found?.username ?? 'nobody'].join(', ');
  };
  const program = (name: string): string => `There is no program docker-credential-${name}`;
  const json = JSON.stringify;
  assert.equal(await missing({ [DOCKER]: json({ credsStore: 'desktop.exe' }) }), `${program('desktop.exe')}, nobody`);
  assert.equal(await missing({ [DOCKER]: json({ credHelpers: { 'a.b': 'absent' } }) }), `${program('absent')}, nobody`);
  assert.equal(await missing({ [DOCKER]: json({ credHelpers: { 'gcr.io': 'gcloud' } }) }), 'nobody');
  assert.equal(await missing({ [DOCKER]: json({ credHelpers: { 'a.b': '' }, credsStore: '' }) }), 'nobody');
  assert.equal(
    await missing({ [DOCKER]: json({ credHelpers: { 'a.b': null, x: null }, credsStore: null }) }),
    'nobody',
  );
  const both = { [RUNTIME]: json({ credsStore: 'pass' }), [DOCKER]: auths({ 'a.b': 'me' }) };
  assert.equal(await missing(both), `${program('pass')}, me`);
  const conf = { 'etc/containers/registries.conf': 'credential-helpers = ["x"]\n' };
  assert.equal(await missing(conf), `${program('x')}, nobody`);
  // One in the current directory is none.
  const options = configIn(t, {
    [DOCKER]: json({ credsStore: 'here' }),
    'docker-credential-here': helper('a.b', 'me', 'x'),
  });
  const environment = { ...options.environment, PATH: `.:${options.environment?.['PATH']}:` };
  const before = process.cwd();
  process.chdir(options.root);
  try {
    assert.equal(await findCredentials('a.b', 'c', { ...options, environment }), undefined);
  } finally {
    process.chdir(before);
  }
});

test('entries of other tools are read: names without base64, wrapped base64, null', async (t) => {
  const wrapped = Buffer.from('me:a long enough password').toString('base64');
  const entries = {
    'kube.io': { username: 'ann', password: 'secret', email: 'x' },
    'empty-auth.io': { auth: '', username: 'ann', password: 'secret' },
    'both.io': { ...authEntry('me', 'pw'), username: 'ann', password: 'secret' },
    'user.io': { username: 'ann' },
    'wrapped.io': { auth: `${wrapped.slice(0, 8)}\n${wrapped.slice(8, 16)}\r\n${wrapped.slice(16)}\n` },
    'null.io': null,
    'null-auth.io': { auth: null, identitytoken: null },
  };
  const options = configIn(t, { [RUNTIME]: JSON.stringify({ auths: entries, credHelpers: null }) });
  const found = async (host: string): Promise<string | undefined> => {
    const credentials = await findCredentials(host, 'x', options);
    return credentials && `${credentials.username}:${credentials.password}`;
  };
  assert.equal(await found('kube.io'), 'ann:secret');
  assert.equal(await found('empty-auth.io'), 'ann:secret');
  assert.equal(await found('both.io'), 'me:pw');
  assert.equal(await found('user.io'), undefined);
  assert.equal(await found('wrapped.io'), 'me:a long enough password');
  assert.equal(await found('null.io'), undefined);
  assert.equal(await found('null-auth.io'), undefined);
  const text = configIn(t, { [RUNTIME]: JSON.stringify({ auths: { 'a.b': { password: 7 } } }) });
  await assert.rejects(findCredentials('a.b', 'x', text), { code: 'INVALID_AUTH_FILE', message: /is not text$/ });
});

test('given credentials are for the named host only', async (t) => {
  const options = { ...configIn(t), credentials: { username: 'me', password: 'pw', host: 'a.b' } };
  assert.deepEqual(await findCredentials('a.b', 'c', options), {
    username: 'me',
    password: 'pw',
    origin: 'the command line',
  });
  assert.equal(await findCredentials('mirror.io', 'c', options), undefined);
});

test('a directory in place of a file is an error', async (t) => {
  const options = configIn(t);
  mkdirSync(join(options.root, RUNTIME), { recursive: true });
  await assert.rejects(findCredentials('a.b', 'c', options), { code: 'INVALID_AUTH_FILE', message: /cannot be read/ });
});
