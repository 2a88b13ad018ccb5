import assert from 'node:assert/strict';
import { test } from 'node:test';
import { computeVerity } from '../../../src/composefs/fsverity/digest.js';
import { catSplitStream } from '../../../src/composefs/splitstream/cat.js';
import { SplitStreamWriter } from '../../../src/composefs/splitstream/writer.js';
import { sha256 } from '../../support/sha256.js';
import { tarArchive, tarFile } from '../../support/tar-builder.js';
import { describe, finished, open, toOldHeader } from './fixtures.js';

/** The vectors T1 to T5 of spec 30 §14.1. */

const LAYER = 0x726579616c69636fn;
const CONFIG = 0x67666e6f6369636fn;

const T1 = Buffer.from(
  '53706c697453747265616d000000010c20000000000000007000000000000000' +
    '7000000000000000700000000000000070000000000000007000000000000000' +
    '79000000000000008f0000000000000070000000000000007900000000000000' +
    '0000000000000000050000000000000028b52ffd200001000028b52ffd005869' +
    '0000fbffffffffffffff68656c6c6f',
  'hex',
);

test('T1: inline data only', () => {
  const writer = new SplitStreamWriter('sha256', 0n);
  writer.writeInline(Buffer.from('hello'));
  const file = finished(writer);
  assert.equal(file.toString('hex'), T1.toString('hex'));
  assert.equal(computeVerity('sha256', file), 'fbf48665a4925a6b9a6d6d606228574b6db1ce2002db657c21647e948d3e2c91');
});

test('T1 with sha512: only the algorithm byte differs', () => {
  const writer = new SplitStreamWriter('sha512', 0n);
  writer.writeInline(Buffer.from('hello'));
  const file = finished(writer);
  const expected = Buffer.from(T1);
  expected[14] = 2;
  assert.equal(file.toString('hex'), expected.toString('hex'));
  assert.equal(
    computeVerity('sha512', file),
    'c41b88fa5ad7500696abeb11341aa3f0cec91083040b5f414dea28132065bab3' +
      'ffe9ad9c75020252819a9075b1b314b38275f9e6d4fdd7b12aa3f87eb09edf15',
  );
});

test('T1 with the old header is read the same', () => {
  const old = toOldHeader(T1);
  assert.equal(old.toString('hex', 0, 32), '20000000000000007000000000000000000053706c697453747265616d00010c');
  for (const file of [T1, old]) {
    const reader = open(file, 0n);
    assert.deepEqual(describe(reader), ['inline hello']);
    assert.deepEqual([reader.contentType, reader.totalSize], [0n, 5]);
  }
});

test('T2: nothing written', () => {
  const file = finished(new SplitStreamWriter('sha256', 0n));
  assert.equal(file.length, 130);
  assert.equal(computeVerity('sha256', file), '7ff9fe4ec4e321464efd75c3fde78232cad5f8d6e7f11d31245043c163e16f8e');
  assert.equal(file.toString('hex', 112), '28b52ffd2000010000'.repeat(2));
  assert.deepEqual([file.readBigUInt64LE(64), file.readBigUInt64LE(72)], [0x79n, 0x82n]);
  assert.deepEqual(describe(open(file)), []);
});

interface LayerVector {
  readonly name: string;
  readonly size: number;
  readonly tarDigest: string;
  readonly length: number;
  readonly verity: string;
}

const LAYERS: readonly LayerVector[] = [
  {
    name: 'alpha',
    size: 1000,
    tarDigest: '757d6903198804b6ed96421a93a9973f5facc0e445a2a6c61cb0129eb67026e2',
    length: 237,
    verity: '61c07629b8a41273f190744a8545c132e6b784dcb2235bb31ade307a83e092ff',
  },
  {
    name: 'beta',
    size: 2000,
    tarDigest: '77dd145166ef191089dabd4d2c52d32143850a3c81a074fedf48dca360e2dcb9',
    length: 236,
    verity: 'ce472620ab69da46e385b0936865ef22f940e6bf55a083d3be37b1003795e221',
  },
  {
    name: 'gamma',
    size: 3000,
    tarDigest: '9b57f0e91c403b650e9391fd5e4154cac5dc1469acc0f3312e6149aa34f160ef',
    length: 237,
    verity: '99ce11df4bb808a1e80ce69425dae527b64aa7a270bf99c4a6e24d66be270f3f',
  },
];

function layerTar({ name, size }: LayerVector): Buffer {
  return tarArchive([tarFile(name, Buffer.alloc(size), { mode: 0o700 })]);
}

function layerFile(vector: LayerVector): Buffer {
  const tar = layerTar(vector);
  const writer = new SplitStreamWriter('sha256', LAYER);
  writer.writeInline(tar.subarray(0, 512));
  writer.addExternalSize(vector.size);
  writer.writeReference(computeVerity('sha256', Buffer.alloc(vector.size)));
  writer.writeInline(tar.subarray(512 + vector.size, tar.length - 1024));
  writer.writeInline(tar.subarray(tar.length - 1024));
  return finished(writer);
}

for (const vector of LAYERS) {
  test(`T3, T4: layer ${vector.name}`, () => {
    const tar = layerTar(vector);
    assert.equal(sha256(tar), vector.tarDigest);
    const file = layerFile(vector);
    assert.equal(file.length, vector.length);
    assert.equal(computeVerity('sha256', file), vector.verity);
    const content = Buffer.alloc(vector.size);
    const reader = open(file, LAYER);
    assert.equal(reader.totalSize, tar.length);
    assert.deepEqual(reader.objectRefs, [computeVerity('sha256', content)]);
    assert.ok(Buffer.concat([...catSplitStream(reader, () => [content])]).equals(tar));
  });
}

test('T3: the bytes of layer alpha', () => {
  const [alpha] = LAYERS;
  assert.ok(alpha !== undefined);
  assert.equal(
    layerFile(alpha).toString('hex'),
    '53706c697453747265616d000000010c20000000000000007000000000000000' +
      '7000000000000000700000000000000070000000000000009000000000000000' +
      '9900000000000000ed0000000000000090000000000000009900000000000000' +
      '6f63696c61796572000a000000000000f6fa43bbc0a7908e2ef77438244159e9' +
      'dec289dfc4c49d229237f9797a6a9b7928b52ffd200001000028b52ffd00585d' +
      '0200440200feff616c7068610030303030373030303137353637353100307573' +
      '746172003030e8fb0e00144105c080186e2898200624e7a80000831b3463660d' +
      '45c0cd6280df95d62c98d28221',
  );
});

test('T5: config stream', () => {
  const json = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: LAYERS.map(({ tarDigest }) => `sha256:${tarDigest}`) },
    }),
  );
  assert.equal(json.length, 299);
  assert.equal(sha256(json), '5118919cc453352968579aeed8fcc26c7a75759de579722a0f90ed5aaf85bd7d');
  const writer = new SplitStreamWriter('sha256', CONFIG);
  for (const vector of LAYERS) {
    writer.addNamedStreamRef(`sha256:${vector.tarDigest}`, computeVerity('sha256', layerFile(vector)));
  }
  writer.addExternalSize(json.length);
  writer.writeReference(computeVerity('sha256', json));
  const file = finished(writer);
  assert.equal(
    file.toString('hex'),
    '53706c697453747265616d000000010c20000000000000007000000000000000' +
      '7000000000000000d000000000000000d000000000000000f000000000000000' +
      '84010000000000009501000000000000f0000000000000008401000000000000' +
      '6f6369636f6e66672b0100000000000061c07629b8a41273f190744a8545c132' +
      'e6b784dcb2235bb31ade307a83e092ffce472620ab69da46e385b0936865ef22' +
      'f940e6bf55a083d3be37b1003795e22199ce11df4bb808a1e80ce69425dae527' +
      'b64aa7a270bf99c4a6e24d66be270f3f1dc5a7ea2c7a2d322c8ab613e8427bfe' +
      '3fec9e6775b3c85896421a588d7c0e1728b52ffd00585d0400d2cc1f149025c9' +
      '03c7c00a21cc8cf097ed2e89a4ff7f011b41b3dcbb2813ebc773a216d5c4abeb' +
      '9aa696bdd8b68f842c7683a4f4c8d2c1064e804377588e5257542f7705c90ba5' +
      '1413541fda319dad1db928e4f8e6bb5b7d373c18be917083712e437f7a396955' +
      '2caad9d6141093303f75b87ca344083c09de060b81b349808080040200019058' +
      '9a229c0128b52ffd00584100000000000000000000',
  );
  assert.equal(computeVerity('sha256', file), '4839518dea22749f8ff233e7f7baec65f23dd5336462f46ad6884769af84bf95');
  const reader = open(file, CONFIG);
  assert.deepEqual(
    [...reader.namedRefs()],
    LAYERS.map(({ tarDigest, verity }) => [`sha256:${tarDigest}`, verity]),
  );
  assert.deepEqual(describe(reader), ['external 1d']);
});
