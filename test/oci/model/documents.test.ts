import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fullMessage } from '../../../src/errors.js';
import { parseConfig } from '../../../src/oci/model/config.js';
import { sha256ContentDigest } from '../../../src/oci/model/digest.js';
import { parseIndex } from '../../../src/oci/model/index-document.js';
import { isContainerImage, isDelta, parseManifest } from '../../../src/oci/model/manifest.js';
import {
  DELTA_ARTIFACT_TYPE,
  DOCKER_IMAGE_CONFIG,
  OCI_EMPTY,
  OCI_IMAGE_CONFIG,
  OCI_INDEX,
} from '../../../src/oci/model/media-types.js';
import { DocumentError } from '../../../src/oci/model/schema.js';
import { errorOf } from '../../support/failures.js';

const digest = sha256ContentDigest(Buffer.from('{}'));
const descriptor = { mediaType: OCI_IMAGE_CONFIG, digest, size: 2 };
const manifest = { schemaVersion: 2, config: descriptor, layers: [] };
const config = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } };

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** The text of the error that a parser throws, with its causes. */
function refusal(parse: (raw: Buffer) => unknown, raw: Buffer): string {
  const error = errorOf(() => parse(raw));
  assert.ok(error instanceof DocumentError);
  assert.equal(error.code, 'INVALID_DOCUMENT');
  return fullMessage(error);
}

test('a parsed manifest stands beside its bytes and their digest', () => {
  const raw = Buffer.from(` ${JSON.stringify({ ...manifest, unknown: [1.5, { a: null }] }, null, '\t')}\n`);
  const document = parseManifest(raw);
  assert.equal(document.raw, raw);
  assert.equal(document.digest, sha256ContentDigest(raw));
  assert.deepEqual(document.value, manifest);
});

test('all fields of a manifest and its descriptors are kept, and null equals absent', () => {
  const full = {
    mediaType: 'text/x',
    digest: 'foo:bar',
    size: Number.MAX_SAFE_INTEGER,
    urls: ['https://x'],
    annotations: { constructor: '1', b: '' },
    platform: { architecture: 'arm', os: 'linux', 'os.version': '1', 'os.features': ['f'], variant: 'v7' },
    artifactType: 't',
    data: 'e30=',
  };
  const value = {
    schemaVersion: 4294967295,
    mediaType: 'm',
    artifactType: 'a',
    config: full,
    layers: [full, full],
    subject: full,
    annotations: { k: 'v' },
  };
  const parsed = parseManifest(json(value)).value;
  assert.deepEqual(JSON.parse(JSON.stringify(parsed)), value);

  const nulls = { mediaType: null, artifactType: null, subject: null, annotations: null };
  const bare = { urls: null, annotations: null, platform: null, artifactType: null, data: null };
  const document = parseManifest(json({ ...manifest, ...nulls, config: { ...descriptor, ...bare } }));
  assert.deepEqual(document.value, manifest);
});

const badManifests: readonly (readonly [string, unknown])[] = [
  ["missing field 'schemaVersion'", { ...manifest, schemaVersion: undefined }],
  ["missing field 'config'", { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] }],
  ["missing field 'layers'", { ...manifest, layers: undefined }],
  ["field 'layers': expected an array", { ...manifest, layers: {} }],
  ["field 'config': expected an object", { ...manifest, config: 'x' }],
  ["field 'schemaVersion': 4294967296 is not between 0 and 4294967295", { ...manifest, schemaVersion: 4294967296 }],
  ["field 'schemaVersion': -1 is not between 0 and 4294967295", { ...manifest, schemaVersion: -1 }],
  ["field 'schemaVersion': expected an integer", { ...manifest, schemaVersion: '2' }],
  ['field \'annotations\': expected a string for key "k"', { ...manifest, annotations: { k: 1 } }],
  ["field 'annotations': expected an object", { ...manifest, annotations: ['k'] }],
  ["missing field 'layers.1.mediaType'", { ...manifest, layers: [descriptor, { digest, size: 1 }] }],
  ["missing field 'config.size'", { ...manifest, config: { ...descriptor, size: undefined } }],
  ["field 'config.size': expected an integer", { ...manifest, config: { ...descriptor, size: 1.5 } }],
  ["field 'config.size': expected an integer", { ...manifest, config: { ...descriptor, size: '2' } }],
  ["field 'config.digest': missing ':' in digest", { ...manifest, config: { ...descriptor, digest: 'x' } }],
  ["field 'config.platform.os': expected a string", { ...manifest, config: { ...descriptor, platform: { os: 1 } } }],
  ['expected an object', [2]],
  ['expected an object', null],
];

for (const [message, value] of badManifests) {
  test(`a manifest is refused: ${message}`, () => {
    assert.equal(refusal(parseManifest, json(value)), `Invalid image manifest: ${message}`);
  });
}

test('numbers that are not exact integers are refused where a size is wanted', () => {
  const withSize = (size: string): Buffer => {
    return Buffer.from(JSON.stringify(manifest).replace('"size":2', `"size":${size}`));
  };
  assert.equal(parseManifest(withSize('9007199254740991')).value.config.size, 9007199254740991);
  for (const size of ['9007199254740992', '9007199254740993', '18446744073709551615', '18446744073709551616']) {
    const message = `field 'config.size': ${size} is not between 0 and 9007199254740991`;
    assert.equal(refusal(parseManifest, withSize(size)), `Invalid image manifest: ${message}`);
  }
  for (const size of ['2.0', '2e0', '-0']) {
    const message = "field 'config.size': expected an integer";
    assert.equal(refusal(parseManifest, withSize(size)), `Invalid image manifest: ${message}`);
  }
});

test('duplicate keys, trailing text and oversized documents are refused', () => {
  const text = JSON.stringify(manifest);
  const twice = Buffer.from(text.replace('{', '{"schemaVersion":2,'));
  assert.match(refusal(parseManifest, twice), /^Invalid image manifest: invalid JSON: duplicate key "schemaVersion"/);
  assert.match(refusal(parseManifest, Buffer.from(`${text}x`)), /unexpected text after the document/);
  const large = Buffer.from(text + ' '.repeat(4 << 20));
  assert.match(refusal(parseManifest, large), /exceeds the limit of 4194304$/);
});

test('null stands for what is empty, as Go writes it', () => {
  assert.deepEqual(parseManifest(json({ ...manifest, layers: null })).value, manifest);
  const index = { schemaVersion: 2, manifests: [] };
  assert.deepEqual(parseIndex(json({ ...index, manifests: null })).value, index);
  const { annotations } = parseManifest(json({ ...manifest, annotations: { a: null, b: 'c' } })).value;
  assert.deepEqual({ ...annotations }, { a: '', b: 'c' });
  const { config: container } = parseConfig(json({ ...config, config: { Labels: { a: null } } })).value;
  assert.deepEqual({ ...container?.Labels }, { a: '' });
});

test('a config may leave out what Docker leaves out', () => {
  const empty = { architecture: '', os: '', rootfs: { type: '', diff_ids: [] } };
  assert.deepEqual(parseConfig(json({ rootfs: {} })).value, empty);
  assert.deepEqual(parseConfig(json({ architecture: null, os: null, rootfs: { diff_ids: null } })).value, empty);
});

test('an index parses as an index only', () => {
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [descriptor] };
  assert.deepEqual(parseIndex(json(index)).value, index);
  assert.equal(refusal(parseIndex, json(manifest)), "Invalid image index: missing field 'manifests'");
});

test('the type of its config makes a manifest an image or an artifact', () => {
  const withConfig = (mediaType: string): Buffer => json({ ...manifest, config: { ...descriptor, mediaType } });
  assert.equal(isContainerImage(parseManifest(withConfig(OCI_IMAGE_CONFIG)).value), true);
  assert.equal(isContainerImage(parseManifest(withConfig(DOCKER_IMAGE_CONFIG)).value), true);
  assert.equal(isContainerImage(parseManifest(withConfig(OCI_EMPTY)).value), false);
  assert.equal(isContainerImage(parseManifest(withConfig('application/octet-stream')).value), false);
  assert.equal(isDelta(parseManifest(json(manifest)).value), false);
  assert.equal(isDelta(parseManifest(json({ ...manifest, artifactType: DELTA_ARTIFACT_TYPE })).value), true);
});

test('all known fields of a config are kept, and null equals absent', () => {
  const full = {
    created: '2026-01-01T00:00:00Z',
    author: 'a',
    ...config,
    'os.version': '1',
    'os.features': ['f'],
    variant: 'v8',
    config: {
      User: '0',
      ExposedPorts: { '80/tcp': {}, '53/udp': {} },
      Env: ['A=B'],
      Entrypoint: [],
      Cmd: ['sh'],
      Volumes: { '/v': {} },
      WorkingDir: '/',
      Labels: { z: '1', a: '2' },
      StopSignal: 'SIGTERM',
    },
    rootfs: { type: 'layers', diff_ids: ['sha256:abc123def456'] },
    history: [{ created: 'c', author: 'a', created_by: 'b', comment: 'd', empty_layer: true }, {}],
  };
  const parsed = parseConfig(json({ ...full, container_config: { Cmd: null }, docker_version: '1' }));
  assert.deepEqual(JSON.parse(JSON.stringify(parsed.value)), full);
  assert.deepEqual(Object.keys(parsed.value.config?.Labels ?? {}), ['z', 'a']);

  const nulls = Object.fromEntries(Object.keys(full.config).map((key) => [key, null]));
  assert.deepEqual(parseConfig(json({ ...config, created: null, config: nulls, history: null })).value, {
    ...config,
    config: {},
  });
});

const badConfigs: readonly (readonly [string, unknown])[] = [
  ["field 'architecture': expected a string", { ...config, architecture: 1 }],
  ["missing field 'rootfs'", { ...config, rootfs: undefined }],
  ["field 'rootfs': expected an object", { ...config, rootfs: null }],
  ["field 'rootfs.type': expected a string", { ...config, rootfs: { type: 1, diff_ids: [] } }],
  ["field 'rootfs.diff_ids': expected an array", { ...config, rootfs: { diff_ids: 'x' } }],
  ["field 'rootfs.diff_ids.1': expected a string", { ...config, rootfs: { type: 'layers', diff_ids: ['x', 1] } }],
  ["field 'config.Env': expected an array", { ...config, config: { Env: 'A=B' } }],
  ['field \'config.Labels\': expected a string for key "a"', { ...config, config: { Labels: { a: 1 } } }],
  ["field 'history.0.empty_layer': expected true or false", { ...config, history: [{ empty_layer: 1 }] }],
];

for (const [message, value] of badConfigs) {
  test(`a config is refused: ${message}`, () => {
    assert.equal(refusal(parseConfig, json(value)), `Invalid image configuration: ${message}`);
  });
}
