import assert from 'node:assert/strict';
import { test } from 'node:test';
import { convertDockerConfig } from '../../../src/oci/model/converted-config.js';

/** The expected texts are what `skopeo` 1.22 makes of the same configs. */

const base = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: ['sha256:abc'] } };
const HEAD = '"architecture":"amd64","os":"linux"';
const TAIL = '"rootfs":{"type":"layers","diff_ids":["sha256:abc"]}';

const converted = (fields: object): string =>
  convertDockerConfig(Buffer.from(JSON.stringify({ ...base, ...fields }))).raw.toString();

test("a Docker config becomes an OCI one, byte for byte as in skopeo's hands", () => {
  const config = {
    id: 'x',
    docker_version: '20.10',
    variant: 'v8',
    'os.version': '10.0',
    'os.features': ['win32k', 'a'],
    created: '2020-01-02T03:04:05.120000Z',
    author: 'A <a@b> & \u2028 é "q" \u0007 \u007f',
    container_config: { Cmd: ['x'] },
    config: {
      Hostname: 'h',
      User: '1000',
      ArgsEscaped: true,
      ExposedPorts: { '80/tcp': {}, '443/tcp': {}, '8080/udp': {} },
      Env: ['PATH=/bin', 'A=<b>'],
      Cmd: ['sh'],
      Volumes: { '/z': {}, '/a': {} },
      WorkingDir: '/w',
      Entrypoint: [],
      OnBuild: null,
      Labels: { z: '1', a: '2', Ab: '3', é: '4' },
      StopSignal: 'SIGTERM',
      Healthcheck: { Test: ['NONE'] },
    },
    history: [
      { created: '2020-01-02T03:04:05.999999999+02:00', author: 'me', created_by: '/bin/sh', comment: 'c' },
      { created: '2020-01-02T03:04:05+00:00', created_by: 'y && z', empty_layer: true },
      { empty_layer: false },
    ],
  };
  assert.equal(
    converted(config),
    '{"created":"2020-01-02T03:04:05.12Z","author":"A \\u003ca@b\\u003e \\u0026 \\u2028 é \\"q\\" \\u0007 \u007f",' +
      `${HEAD},"os.version":"10.0","os.features":["win32k","a"],"variant":"v8",` +
      '"config":{"User":"1000","ExposedPorts":{"443/tcp":{},"80/tcp":{},"8080/udp":{}},' +
      '"Env":["PATH=/bin","A=\\u003cb\\u003e"],"Cmd":["sh"],"Volumes":{"/a":{},"/z":{}},"WorkingDir":"/w",' +
      '"Labels":{"Ab":"3","a":"2","z":"1","é":"4"},"StopSignal":"SIGTERM","ArgsEscaped":true},' +
      `${TAIL},"history":[` +
      '{"created":"2020-01-02T03:04:05.999999999+02:00","created_by":"/bin/sh","author":"me","comment":"c"},' +
      '{"created":"2020-01-02T03:04:05Z","created_by":"y \\u0026\\u0026 z","empty_layer":true},{}]}',
  );
});

test('what is empty or missing is left out, but for the config', () => {
  assert.equal(converted({}), `{${HEAD},"config":{},${TAIL}}`);
  const empty = {
    author: '',
    config: { User: '', Env: [], Labels: {}, ArgsEscaped: false },
    history: [],
    created: null,
  };
  assert.equal(converted(empty), `{${HEAD},"config":{},${TAIL}}`);
});

test('times are written as Go writes them', () => {
  const times: [string, string][] = [
    ['2020-01-02T03:04:05Z', '2020-01-02T03:04:05Z'],
    ['2020-01-02T03:04:05.000Z', '2020-01-02T03:04:05Z'],
    ['2020-01-02T03:04:05.100Z', '2020-01-02T03:04:05.1Z'],
    ['2020-01-02T03:04:05.1234567891Z', '2020-01-02T03:04:05.123456789Z'],
    ['2020-01-02T03:04:05-00:00', '2020-01-02T03:04:05Z'],
    ['2020-01-02T03:04:05.5-08:00', '2020-01-02T03:04:05.5-08:00'],
  ];
  for (const [given, written] of times) {
    assert.equal(converted({ created: given }), `{"created":"${written}",${HEAD},"config":{},${TAIL}}`);
  }
});

test('a converted config stays what it is', () => {
  const once = convertDockerConfig(Buffer.from(JSON.stringify({ ...base, config: { Env: ['<'] } })));
  assert.deepEqual(convertDockerConfig(once.raw), once);
});

test('what is no config is refused', () => {
  assert.throws(() => convertDockerConfig(Buffer.from('{}')), { code: 'INVALID_DOCUMENT' });
  assert.throws(() => convertDockerConfig(Buffer.from('[')), { code: 'INVALID_DOCUMENT' });
});
