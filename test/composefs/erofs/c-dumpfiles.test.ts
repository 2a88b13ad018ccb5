import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { ByteString } from '../../../src/bytes/byte-string.js';
import {
  collectObjects,
  ErofsImage,
  fsckMetadata,
  readErofsTree,
  writeErofs,
} from '../../../src/composefs/erofs/index.js';
import { parseCDumpfile } from '../../../src/composefs/mkcomposefs/c-parser.js';
import { writeCDumpfile } from '../../../src/composefs/mkcomposefs/c-writer.js';
import { readCTree } from '../../../src/composefs/mkcomposefs/index.js';
import { selectEpoch1Version } from '../../../src/composefs/mkcomposefs/version-selection.js';
import { sharedPath } from '../../support/paths.js';
import { sha256 } from '../../support/sha256.js';
import { assertImage } from './support.js';

interface Expected {
  readonly size?: number;
  readonly sha256: string;
  readonly fsverity?: string;
  readonly objects?: number;
  readonly dumpSha256?: string;
}

type Row = Readonly<Record<'v0' | 'v1' | 'v0max0', Expected>>;

const folder = sharedPath('vectors', 'dumpfiles');
const skip = folder === undefined ? 'the shared vectors are absent' : false;

function cDump(image: Buffer, filter?: ReadonlySet<ByteString>): string {
  const tree = readCTree(image, filter === undefined ? {} : { topLevel: filter });
  return [...writeCDumpfile(tree.root, tree)].join('');
}

const RANGES = { v0: {}, v1: { min: 1 }, v0max0: { min: 0, max: 0 } };

test('the images of the C test suite are those of mkcomposefs', { skip }, async (t) => {
  if (folder === undefined) return;
  const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Readonly<Record<string, Row>>;
  for (const file of readdirSync(join(folder, 'good'))) {
    const row = expected[file];
    assert.ok(row !== undefined, `${file} is not in expected.json`);
    const bytes = readFileSync(join(folder, 'good', file));
    const root = parseCDumpfile(file.endsWith('.gz') ? gunzipSync(bytes) : bytes);
    for (const kind of ['v0', 'v1', 'v0max0'] as const) {
      await t.test(`${file} ${kind}`, () => {
        const { fsverity, objects, dumpSha256, ...rest } = row[kind];
        const version = selectEpoch1Version(root, RANGES[kind]);
        const image = writeErofs(root, { version, algorithm: 'sha256', dialect: 'mkcomposefs' });
        assertImage(image, { ...rest, ...(fsverity === undefined ? {} : { verity: fsverity }) });
        fsckMetadata(ErofsImage.open(image).restrictToComposefs());
        if (objects !== undefined) assert.equal(collectObjects(image, 'sha256').size, objects);
        if (dumpSha256 !== undefined) assert.equal(sha256(Buffer.from(cDump(image), 'latin1')), dumpSha256);
        // composefs-dump: read and written again, the image is the same.
        const again = readCTree(image);
        assert.ok(writeErofs(again.root, { version, algorithm: 'sha256', dialect: 'mkcomposefs' }).equals(image));
      });
    }
  }
});

test('the filtered dump of special.dump is that of composefs-info', { skip }, () => {
  if (folder === undefined) return;
  const root = parseCDumpfile(readFileSync(join(folder, 'good', 'special.dump')));
  const image = writeErofs(root, { version: selectEpoch1Version(root), algorithm: 'sha256', dialect: 'mkcomposefs' });
  const names = new Set(['chardev', 'inline', 'whiteout'].map((text) => text as ByteString));
  assert.equal(
    cDump(image, names),
    '/ 4096 40555 2 0 0 0 1633950376.0 - - - trusted.foo1=bar-1 trusted.overlay.opaque=x user.foo2=bar-2 user.overlay.opaque=x\n' +
      '/chardev 0 20777 1 0 0 10769 1633950376.0 - - - trusted.foo=bar-2\n' +
      '/inline 15 100777 1 0 0 0 1633950376.0 - FOOBAR\\nINAFILE\\n - user.foo=bar-2\n' +
      '/whiteout 0 20777 1 0 0 0 1633950376.0 - - - trusted.foo=bar-2\n',
  );
});

test('a file of more than 1024 chunks is too large', { skip }, () => {
  if (folder === undefined) return;
  assert.throws(() => {
    const root = parseCDumpfile(readFileSync(join(folder, 'bad', 'too-big.dump')));
    writeErofs(root, { version: 0, algorithm: 'sha256', dialect: 'mkcomposefs' });
  }, /File too large/);
});

test('an image of the C test suite reads back as a tree that gives the same image', { skip }, () => {
  if (folder === undefined) return;
  const root = parseCDumpfile(gunzipSync(readFileSync(join(folder, 'good', 'config.dump.gz'))));
  for (const version of [0, 1, 2] as const) {
    const image = writeErofs(root, { version, algorithm: 'sha256' });
    assert.ok(writeErofs(readErofsTree(image, 'sha256'), { version, algorithm: 'sha256' }).equals(image));
  }
});

test('versions are chosen as mkcomposefs does', () => {
  const plain = parseCDumpfile(Buffer.from('/ 0 40755 2 0 0 0 0.0 - - -\n'));
  const whiteout = parseCDumpfile(Buffer.from('/ 0 40755 2 0 0 0 0.0 - - -\n/w 0 20644 1 0 0 0 0.0 - - -\n'));
  const choose = (range: { min?: number; max?: number }): number[] =>
    [plain, whiteout].map((root) => selectEpoch1Version(root, range));
  assert.deepEqual(choose({}), [0, 1]);
  assert.deepEqual(choose({ min: 1 }), [1, 1]);
  assert.deepEqual(choose({ max: 1 }), [0, 1]);
  assert.deepEqual(choose({ max: 0 }), [0, 0]);
  assert.deepEqual(choose({ min: 0 }), [0, 0]);
  assert.deepEqual(choose({ min: 1, max: 0 }), [1, 1]);
  assert.throws(() => choose({ min: 2 }), { code: 'EINVAL' });
  assert.throws(() => choose({ max: 2 }), { code: 'EINVAL' });
});
