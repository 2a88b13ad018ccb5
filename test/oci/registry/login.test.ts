import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { listLogins, login, logout, parseLoginTarget } from '../../../src/oci/registry/login.js';
import { authEntry, configIn } from './config-fixtures.js';

const RUNTIME = 'run/containers/auth.json';
const ME = { username: 'me', password: 'p:w' };
const accept = async (): Promise<void> => undefined;

function json(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}

test('a target is a host, with a namespace or without', () => {
  assert.deepEqual(parseLoginTarget('a.b:5000'), { host: 'a.b:5000', repository: undefined, key: 'a.b:5000' });
  assert.deepEqual(parseLoginTarget('https://a.b/'), { host: 'a.b', repository: undefined, key: 'a.b' });
  assert.deepEqual(parseLoginTarget('a.b/ns/app'), { host: 'a.b', repository: 'ns/app', key: 'a.b/ns/app' });
  assert.equal(parseLoginTarget('https://index.docker.io/').key, 'docker.io');
  for (const text of ['', 'a b', 'a.b/c:1', 'a.b/C', 'https://']) {
    assert.throws(() => parseLoginTarget(text), { code: 'INVALID_IMAGE_REFERENCE' });
  }
});

test('a login is stored for its owner only, and nothing else in the file changes', async (t) => {
  const other = {
    auths: { 'c.d': authEntry('you', 'x'), 'e.f': {} },
    credHelpers: { 'g.h': 'x' },
    HttpHeaders: { a: 'b' },
  };
  const options = configIn(t, { [RUNTIME]: JSON.stringify(other) });
  const path = join(options.root, RUNTIME);
  assert.equal(await login(parseLoginTarget('a.b'), ME, { ...options, verify: accept }), path);
  assert.deepEqual(json(path), { ...other, auths: { ...other.auths, 'a.b': authEntry('me', 'p:w') } });
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(join(options.root, 'run/containers')), ['auth.json']);
});

test('the folder of the file is made, for its owner only', async (t) => {
  const options = configIn(t);
  await login(parseLoginTarget('a.b'), ME, { ...options, verify: accept });
  assert.equal(statSync(join(options.root, 'run/containers')).mode & 0o777, 0o700);
});

test('a named file is written even if it is not there, and a link to it stays', async (t) => {
  const options = configIn(t, { 'real/auth.json': '{}' });
  const authFile = join(options.root, 'link.json');
  symlinkSync('real/auth.json', authFile);
  await login(parseLoginTarget('a.b/ns'), ME, { ...options, authFile, verify: accept });
  assert.deepEqual(json(join(options.root, 'real/auth.json')), { auths: { 'a.b/ns': authEntry('me', 'p:w') } });
  const fresh = join(options.root, 'new/auth.json');
  await login(parseLoginTarget('a.b'), ME, { ...options, authFile: fresh, verify: accept });
  assert.deepEqual(json(fresh), { auths: { 'a.b': authEntry('me', 'p:w') } });
});

test('of logins at the same time none is lost', async (t) => {
  const options = configIn(t, { [RUNTIME]: JSON.stringify({ auths: { 'c.d': authEntry('you', 'x') } }) });
  const path = join(options.root, RUNTIME);
  const module = new URL('../../../src/oci/registry/login.js', import.meta.url).href;
  const script = (process: number): string => `
    const { login, parseLoginTarget } = await import(${JSON.stringify(module)});
    const options = { authFile: ${JSON.stringify(path)} };
    for (let i = 0; i < 20; i++) {
      const target = parseLoginTarget('p${process}.x/n' + i);
      await login(target, { username: 'me', password: 'pw' }, { ...options, verify: async () => undefined });
    }`;
  const run = promisify(execFile);
  await Promise.all([0, 1, 2, 3].map((i) => run(process.execPath, ['--input-type=module', '-e', script(i)])));
  const hosts = [0, 1, 2, 3].flatMap((p) => Array.from({ length: 20 }, (_, i) => `p${p}.x/n${i}`));
  const { auths } = json(path) as { auths: object };
  assert.deepEqual(Object.keys(auths).sort(), ['c.d', ...hosts].sort());
  await Promise.all(hosts.slice(0, 30).map((host) => logout(parseLoginTarget(host), options)));
  assert.equal(Object.keys((json(path) as { auths: object }).auths).length, 51);
  assert.deepEqual(readdirSync(join(options.root, 'run/containers')), ['auth.json']);
});

test('refused credentials are not stored', async (t) => {
  const options = configIn(t);
  const refuse = async (): Promise<void> => {
    throw new Error('401');
  };
  await assert.rejects(login(parseLoginTarget('a.b'), ME, { ...options, verify: refuse }), /401/);
  assert.ok(!existsSync(join(options.root, RUNTIME)));
});

test('a file that cannot be understood is not overwritten', async (t) => {
  const options = configIn(t, { [RUNTIME]: '{"auths": ' });
  await assert.rejects(login(parseLoginTarget('a.b'), ME, { ...options, verify: accept }), {
    code: 'INVALID_AUTH_FILE',
  });
  assert.equal(readFileSync(join(options.root, RUNTIME), 'utf8'), '{"auths": ');
});

const HELPER = `#!/bin/sh
input=$(cat)
echo "$1 $input" >> "$HOME/asked"
`;

test('a login goes to the helper that is configured for the registry', async (t) => {
  const options = configIn(t, {
    [RUNTIME]: JSON.stringify({ auths: {}, credHelpers: { 'a.b': 'test' } }),
    'bin/docker-credential-test': HELPER,
  });
  assert.equal(await login(parseLoginTarget('a.b'), ME, { ...options, verify: accept }), 'docker-credential-test');
  const asked = join(options.root, 'home/asked');
  assert.equal(readFileSync(asked, 'utf8'), 'store {"ServerURL":"a.b","Username":"me","Secret":"p:w"}\n');
  assert.deepEqual(await logout(parseLoginTarget('a.b'), options), ["docker-credential-test, entry 'a.b'"]);
  assert.match(readFileSync(asked, 'utf8'), /^erase a\.b$/m);
});

test('a logout removes one entry, and --all all of them', async (t) => {
  const entries = {
    'a.b': authEntry('a', 'x'),
    'https://a.b/v1/': authEntry('a', 'x'),
    'c.d': authEntry('c', 'x'),
    'a.b/ns': {},
  };
  const options = configIn(t, { [RUNTIME]: JSON.stringify({ auths: entries, other: 1 }) });
  const path = join(options.root, RUNTIME);
  assert.equal((await logout(parseLoginTarget('a.b'), options)).length, 2);
  assert.deepEqual(json(path), { auths: { 'c.d': entries['c.d'], 'a.b/ns': {} }, other: 1 });
  await assert.rejects(logout(parseLoginTarget('a.b'), options), {
    code: 'NOT_LOGGED_IN',
    message: 'Not logged in to a.b',
  });
  assert.equal((await logout('all', options)).length, 2);
  assert.deepEqual(json(path), { auths: {}, other: 1 });
  assert.deepEqual(await logout('all', options), []);
});

test('the registries of the file are listed, and nothing where there is none', async (t) => {
  assert.deepEqual(listLogins(configIn(t)), []);
  const options = configIn(t, { [RUNTIME]: JSON.stringify({ auths: { 'c.d': authEntry('you', 'x'), 'e.f/ns': {} } }) });
  await login(parseLoginTarget('a.b'), ME, { ...options, verify: accept });
  assert.deepEqual(listLogins(options), ['c.d', 'e.f/ns', 'a.b']);
});
