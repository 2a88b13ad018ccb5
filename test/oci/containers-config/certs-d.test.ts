import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadTls } from '../../../src/oci/containers-config/certs-d.js';
import { configIn } from '../registry/config-fixtures.js';

const USER = 'home/.config/containers/certs.d';
const CONTAINERS = 'etc/containers/certs.d';
const DOCKER = 'etc/docker/certs.d';

test('the first directory for host and port counts: the user, containers, docker', (t) => {
  const files: Record<string, string> = { [`${DOCKER}/a.b:5000/ca.crt`]: 'docker' };
  assert.deepEqual(loadTls('a.b:5000', configIn(t, files))?.ca, ['docker']);
  files[`${CONTAINERS}/a.b:5000/ca.crt`] = 'containers';
  assert.deepEqual(loadTls('a.b:5000', configIn(t, files))?.ca, ['containers']);
  files[`${USER}/a.b:5000/ca.crt`] = 'user';
  assert.deepEqual(loadTls('a.b:5000', configIn(t, files))?.ca, ['user']);
  assert.equal(loadTls('a.b', configIn(t, files)), undefined);
});

test('a directory holds authorities, and a certificate with its key', (t) => {
  const folder = `${CONTAINERS}/a.b`;
  const options = configIn(t, {
    [`${folder}/1.crt`]: 'ca1',
    [`${folder}/2.crt`]: 'ca2',
    [`${folder}/client.cert`]: 'cert',
    [`${folder}/client.key`]: 'key',
    [`${folder}/README`]: 'x',
  });
  const origin = join(options.root, folder);
  assert.deepEqual(loadTls('a.b', options), { ca: ['ca1', 'ca2'], cert: 'cert', key: 'key', origin });
});

test('a named directory is the only one, and must exist', (t) => {
  const options = configIn(t, { [`${USER}/a.b/ca.crt`]: 'user', 'certs/own.crt': 'own' });
  assert.deepEqual(loadTls('a.b', { ...options, certDir: join(options.root, 'certs') })?.ca, ['own']);
  assert.throws(() => loadTls('a.b', { ...options, certDir: join(options.root, 'none') }), {
    code: 'TLS_MATERIAL',
    message: /none/,
  });
});

test('half a pair is an error', (t) => {
  assert.throws(() => loadTls('a.b', configIn(t, { [`${USER}/a.b/x.cert`]: '' })), {
    code: 'TLS_MATERIAL',
    message: /no key x\.key for the certificate x\.cert/,
    hint: /ends in \.crt/,
  });
  assert.throws(() => loadTls('a.b', configIn(t, { [`${USER}/a.b/x.key`]: '' })), {
    message: /no certificate x\.cert for the key x\.key/,
  });
});
