import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatSize } from '../../src/bytes/format-size.js';
import { NO_TAR_LIMITS, type TarLimits } from '../../src/tar/limits.js';
import { TarSplitter } from '../../src/tar/splitter.js';
import { SPARSE_FILE, sparseFile, sparseTars } from '../support/sparse-tars.js';
import { padded, paxHeader, putBase256, tarFile, tarHeader } from '../support/tar-builder.js';
import { assertRefused, joinParts, shape, splitTar } from './recording-sink.js';

const ZERO_BLOCK = Buffer.alloc(512);
const FILE = tarFile('f', 'content');

describe('sparse files', () => {
  test('are files of their data, with the map', () => {
    for (const [format, tar] of Object.entries(sparseTars(SPARSE_FILE, 'f'))) {
      const parts = splitTar(Buffer.concat([tar, FILE]));
      assert.deepEqual(joinParts(parts), Buffer.concat([tar, FILE]), format);
      const files = parts.flatMap((part) => ('file' in part ? [part] : []));
      assert.equal(files.length, 1);
      assert.deepEqual(files[0]?.file, SPARSE_FILE.data, format);
      const regions = SPARSE_FILE.regions.map(([offset, length]) => ({ offset, length }));
      assert.deepEqual(files[0]?.sparse, { size: 100_000, regions }, format);
    }
  });

  test('with maps of many blocks', () => {
    for (const count of [0, 1, 3, 4, 5, 25, 26, 47, 1000]) {
      const file = sparseFile(
        count * 100 + 100,
        Array.from({ length: count }, (_, i) => [i * 100, 1 + (i % 3)]),
      );
      for (const [format, tar] of Object.entries(sparseTars(file, 'f'))) {
        const [part] = splitTar(tar, [777]).flatMap((each) => ('file' in each ? [each] : []));
        assert.equal(part?.sparse?.regions.length, count, format);
        assert.deepEqual(part?.file, file.data, format);
      }
    }
  });

  test('small ones are inline, holes and all', () => {
    const file = sparseFile(64, [[10, 5]]);
    for (const [format, tar] of Object.entries(sparseTars(file, 'f'))) {
      assert.deepEqual(shape(tar), [-tar.length], format);
    }
  });

  test('nothing but holes', () => {
    const file = sparseFile(2 ** 40, []);
    for (const [format, tar] of Object.entries(sparseTars(file, 'f'))) {
      const before = tar.length;
      assert.deepEqual(shape(Buffer.concat([tar, FILE])), [-before, 0, -1024], format);
      assert.deepEqual(shape(tar), [-before, 0], format);
    }
  });

  test('malformed maps are refused', () => {
    const refused = (size: number, regions: [number, number][], reason: string): void => {
      for (const tar of Object.values(sparseTars(sparseFile(size, regions), 'f'))) {
        assert.throws(() => splitTar(tar), {
          code: 'INVALID_TAR',
          message: new RegExp(`sparse file: ${reason} \\(at`),
        });
      }
    };
    refused(
      1000,
      [
        [100, 10],
        [105, 10],
      ],
      'a region at 105 begins before 110',
    );
    refused(
      1000,
      [
        [100, 10],
        [50, 10],
      ],
      'a region at 50 begins before 110',
    );
    refused(1000, [[995, 10]], 'a region ends at 1005, the file at 1000');
    for (const [format, tar] of Object.entries(
      sparseTars({ ...sparseFile(1000, [[0, 100]]), data: Buffer.alloc(99) }, 'f'),
    )) {
      const data = format === 'pax10' ? 99 : 99;
      assert.throws(() => splitTar(tar), { message: new RegExp(`: ${data} bytes of data for regions of 100 `) });
    }
    const map = (text: string): Buffer =>
      Buffer.concat([
        paxHeader([
          ['GNU.sparse.major', '1'],
          ['GNU.sparse.minor', '0'],
        ]),
        tarFile('f', padded(Buffer.from(text))),
      ]);
    for (const [text, reason] of [
      ['x\n', '"x" is no number'],
      ['1\n-1\n0\n', '"-1" is no number'],
      [`99999\n${'0\n'.repeat(253)}`, 'it is longer than the 512 bytes of data'],
      ['9'.repeat(100), 'a line that is no number'],
      ['', 'it is longer than the 0 bytes of data'],
    ] as const) {
      assert.throws(() => splitTar(Buffer.concat([map(text), ZERO_BLOCK])), {
        message: new RegExp(`sparse file: ${reason}`),
      });
    }
    const many = tarFile('f', Buffer.from(`9999999\n${'0\n'.repeat(700_000)}`));
    const version = paxHeader([
      ['GNU.sparse.major', '1'],
      ['GNU.sparse.minor', '0'],
    ]);
    assert.throws(() => splitTar(Buffer.concat([version, many])), { message: /metadata exceeds limit: 1049088 bytes/ });
  });

  test('what ends within a map is cut short', () => {
    const file = sparseFile(
      100_000,
      Array.from({ length: 100 }, (_, i) => [i * 100, 1]),
    );
    const { gnu, pax10 } = sparseTars(file, 'f');
    for (const [tar, first] of [
      [gnu, 512],
      [pax10, 1536],
    ] as const) {
      for (const cut of [first, first + 1, first + 512]) {
        assertRefused(tar.subarray(0, cut), 'unexpected EOF in tar stream', cut);
      }
    }
  });

  test('other types, and headers of other formats', () => {
    assertRefused(tarHeader({ name: 's', type: 'S' }), 'sparse entry type but header is not GNU format', 0);
    const records: [string, string][] = [
      ['GNU.sparse.map', '0,1'],
      ['GNU.sparse.numblocks', '1'],
    ];
    const pax = Buffer.concat([paxHeader(records), tarHeader({ name: 's', type: '5' })]);
    assertRefused(pax, 'sparse entry of type Directory', 1024);
    const realSize = tarHeader({
      name: 's',
      type: 'S',
      format: 'gnu',
      patch: (header) => putBase256(header, 483, 12, -1n),
    });
    assertRefused(realSize, 'invalid size of a sparse file: -1', 0);
  });
});

describe('bounds', () => {
  const split = (tar: Buffer, limits: Partial<TarLimits>): void => {
    const ignore = (): void => {};
    const sink = { inline: ignore, beginFile: ignore, fileData: ignore, endFile: ignore };
    const splitter = new TarSplitter(sink, { ...NO_TAR_LIMITS, ...limits });
    splitter.push(tar);
    splitter.finish();
  };

  test('on bytes, holes included', () => {
    split(FILE, { maxBytes: 1024 });
    const message = 'the layer unpacks to more than 1023 bytes (1023 B)';
    assert.throws(() => split(FILE, { maxBytes: 1023 }), { code: 'LAYER_TOO_LARGE', message });
    for (const tar of Object.values(sparseTars(sparseFile(2 ** 40, [[0, 100]]), 'f'))) {
      split(tar, { maxBytes: tar.length + 2 ** 40 - 100 });
      assert.throws(() => split(tar, { maxBytes: tar.length + 2 ** 40 - 101 }), { code: 'LAYER_TOO_LARGE' });
      split(tar, { maxTarBytes: tar.length });
      const tarMessage = `the layer unpacks to more than ${tar.length - 1} bytes (${formatSize(tar.length - 1)})`;
      assert.throws(() => split(tar, { maxTarBytes: tar.length - 1 }), { message: tarMessage });
    }
  });

  test('on entries, whose extension headers count for each 512 bytes', () => {
    const message = 'the layer has more than 2 entries, or too long names and xattrs';
    const path = (length: number): Buffer => paxHeader([['path', 'p'.repeat(length)]]);
    const tar = Buffer.concat([FILE, path(400), FILE]);
    split(tar, { maxEntries: 2 });
    assert.throws(() => split(Buffer.concat([tar, FILE]), { maxEntries: 2 }), { code: 'LAYER_TOO_LARGE', message });
    assert.throws(() => split(Buffer.concat([FILE, path(512), FILE]), { maxEntries: 2 }), { message });
  });
});
