import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ImageConfiguration, parseConfig } from '../../../src/oci/model/config.js';
import { parseOciDigest, sha256ContentDigest } from '../../../src/oci/model/digest.js';
import { type ImageManifest, parseManifest } from '../../../src/oci/model/manifest.js';
import { serialiseConfig, serialiseManifest } from '../../../src/oci/model/serialise.js';

test('the three-layer config has its published digest', () => {
  const json = serialiseConfig({
    architecture: 'amd64',
    os: 'linux',
    rootfs: {
      type: 'layers',
      diff_ids: [
        'sha256:757d6903198804b6ed96421a93a9973f5facc0e445a2a6c61cb0129eb67026e2',
        'sha256:77dd145166ef191089dabd4d2c52d32143850a3c81a074fedf48dca360e2dcb9',
        'sha256:9b57f0e91c403b650e9391fd5e4154cac5dc1469acc0f3312e6149aa34f160ef',
      ],
    },
  });
  assert.equal(sha256ContentDigest(json), 'sha256:5118919cc453352968579aeed8fcc26c7a75759de579722a0f90ed5aaf85bd7d');
});

test('the keys of a config come in a fixed order, whatever theirs was', () => {
  const config: ImageConfiguration = {
    history: [{ empty_layer: false, comment: 'd', created_by: 'b', author: 'a', created: 'c' }],
    rootfs: { diff_ids: ['x'], type: 'layers' },
    config: {
      StopSignal: '9',
      Labels: { z: 'é/"\n\u0001', a: '' },
      WorkingDir: '/',
      Volumes: { '/v': {} },
      Cmd: [],
      Entrypoint: ['e'],
      Env: ['A=B'],
      ExposedPorts: { '80/tcp': {}, '1/udp': {} },
      User: 'u',
    },
    variant: 'v8',
    'os.features': ['f'],
    'os.version': '1',
    os: 'linux',
    architecture: 'arm64',
    author: 'me',
    created: 'now',
  };
  const json = serialiseConfig(config);
  assert.equal(
    json.toString(),
    '{"created":"now","author":"me","architecture":"arm64","os":"linux","os.version":"1","os.features":["f"],' +
      '"variant":"v8","config":{"User":"u","ExposedPorts":{"80/tcp":{},"1/udp":{}},"Env":["A=B"],"Entrypoint":["e"],' +
      '"Cmd":[],"Volumes":{"/v":{}},"WorkingDir":"/","Labels":{"z":"é/\\"\\n\\u0001","a":""},"StopSignal":"9"},' +
      '"rootfs":{"type":"layers","diff_ids":["x"]},' +
      '"history":[{"created":"c","author":"a","created_by":"b","comment":"d","empty_layer":false}]}',
  );
  assert.deepEqual(serialiseConfig(parseConfig(json).value), json);
});

test('the keys of a manifest come in a fixed order, whatever theirs was', () => {
  const digest = parseOciDigest('foo:bar');
  const manifest: ImageManifest = {
    annotations: { b: '1', a: '2' },
    subject: { size: 0, digest, mediaType: 's' },
    layers: [
      {
        data: 'e30=',
        artifactType: 'at',
        platform: { variant: 'v7', 'os.features': [], 'os.version': '1', os: 'linux', architecture: 'arm' },
        annotations: {},
        urls: ['https://x/y'],
        size: 2 ** 53 - 1,
        digest,
        mediaType: 'l',
      },
    ],
    config: { size: 2, digest, mediaType: 'c' },
    artifactType: 't',
    mediaType: 'm',
    schemaVersion: 2,
  };
  const json = serialiseManifest(manifest);
  assert.equal(
    json.toString(),
    '{"schemaVersion":2,"mediaType":"m","artifactType":"t","config":{"mediaType":"c","digest":"foo:bar","size":2},' +
      '"layers":[{"mediaType":"l","digest":"foo:bar","size":9007199254740991,"urls":["https://x/y"],"annotations":{},' +
      '"platform":{"architecture":"arm","os":"linux","os.version":"1","os.features":[],"variant":"v7"},' +
      '"artifactType":"at","data":"e30="}],"subject":{"mediaType":"s","digest":"foo:bar","size":0},' +
      '"annotations":{"b":"1","a":"2"}}',
  );
  assert.deepEqual(serialiseManifest(parseManifest(json).value), json);
});
