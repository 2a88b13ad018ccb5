import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ObjectId, trustedObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { catSplitStream } from '../../../src/composefs/splitstream/cat.js';
import { SplitStreamError } from '../../../src/composefs/splitstream/format.js';
import { LayerError, readTarEntries, type TarEntry } from '../../../src/oci/layer/tar-entry.js';
import { sparseFileSteps } from '../../../src/oci/layer/verify-sparse.js';
import { TarError } from '../../../src/tar/tar-error.js';
import { runSteps } from '../../../src/threads/turns.js';
import { boundaryFilesLayer } from '../../support/base-image.js';
import { MemoryStore } from '../../support/memory-store.js';
import { sparseFile, sparseTars } from '../../support/sparse-tars.js';
import {
  END_OF_ARCHIVE,
  paxHeader,
  putBase256,
  tarArchive,
  tarDirectory,
  tarFile,
  tarHeader,
  tarSymlink,
} from '../../support/tar-builder.js';
import { content, entriesOf, importTar, makeSplitStream, openSplitStream } from './layer-support.js';

describe('the end of the entries', () => {
  test('end blocks end them whatever follows', () => {
    const tar = Buffer.concat([tarFile('a', ''), END_OF_ARCHIVE, tarFile('b', 'x'.repeat(100))]);
    assert.deepEqual(
      entriesOf(tar).map(({ path }) => path),
      ['/a'],
    );
    assert.deepEqual(entriesOf(END_OF_ARCHIVE), []);
    assert.deepEqual(entriesOf(Buffer.alloc(0)), []);
  });

  test('global headers and stray zero blocks are passed over', () => {
    const global = paxHeader([['path', 'global']], { type: 'g' });
    const tar = tarArchive([
      paxHeader([['path', 'lost']]),
      global,
      tarFile('a', ''),
      Buffer.alloc(512),
      tarFile('b', ''),
    ]);
    assert.deepEqual(
      entriesOf(tar).map(({ path }) => path),
      ['/a', '/b'],
    );
  });

  test('without end blocks, or padding, the last entry is an entry like any other', () => {
    const ends = [
      tarFile('a', 'x'),
      tarFile('a', 'x').subarray(0, 513),
      tarFile('a', ''),
      tarDirectory('a/'),
      tarSymlink('a', 'x'),
      tarFile('a', Buffer.alloc(100)).subarray(0, 612),
      tarFile('a', Buffer.alloc(100)).subarray(0, 700),
      tarFile('a', Buffer.alloc(100_000)).subarray(0, 100_512),
      Buffer.concat([tarFile('a', ''), Buffer.alloc(512)]),
      Buffer.concat([tarFile('a', ''), Buffer.alloc(700)]),
      Buffer.concat([tarFile('a', 'x'), Buffer.alloc(1)]),
    ];
    for (const [index, tar] of ends.entries()) {
      assert.deepEqual(
        entriesOf(tar).map(({ path }) => path),
        ['/a'],
        String(index),
      );
    }
  });

  test('a stream that ends within extension headers has no more entries', () => {
    const pax = paxHeader([['path', 'x'.repeat(600)]]);
    const size = Number.parseInt(pax.toString('latin1', 124, 135), 8);
    for (const length of [512, 512 + size, pax.length]) {
      const store = new MemoryStore();
      const stream = makeSplitStream([pax.subarray(0, length)], store);
      assert.deepEqual([...readTarEntries(openSplitStream(stream, store))], []);
    }
  });
});

describe('splitstreams that do not hold a layer', () => {
  const OBJECT = { object: Buffer.alloc(100, 1) };
  const OBJECT_ID = new MemoryStore().storeObject(OBJECT.object).id;

  function read(...parts: (Buffer | { object: Buffer })[]): TarEntry[] {
    const store = new MemoryStore();
    return [...readTarEntries(openSplitStream(makeSplitStream([...parts, END_OF_ARCHIVE], store), store))];
  }

  test('entries of types that have no place in a tree', () => {
    for (const [type, name] of [
      ['V', 'Other(86)'],
      ['D', 'Other(68)'],
      ['\xff', 'Other(255)'],
    ] as const) {
      const header = tarHeader({ name: 'a', type: Buffer.from(type, 'latin1'), format: 'v7' });
      assert.throws(() => read(header), {
        message: `Unsupported entry type ${name} (entry "/a")`,
        code: 'INVALID_LAYER',
      });
    }
  });

  test('devices in a header without device numbers', () => {
    for (const type of ['3', '4']) {
      const message = 'Device entry without device numbers? (entry "/c")';
      assert.throws(() => read(tarHeader({ name: 'c', type, format: 'v7' })), { message });
    }
  });

  test('sparse files without their objects', () => {
    for (const tar of Object.values(sparseTars(sparseFile(1000, [[0, 100]]), 's'))) {
      const data = { object: Buffer.alloc(100) };
      const header = tar.subarray(0, tar.length - 512);
      const missing = 'Splitstream has no object for a sparse file with its holes (entry "/s")';
      assert.throws(() => read(header, data, Buffer.alloc(412)), { message: missing, code: 'INVALID_LAYER' });
      const inline = 'Splitstream incorrectly stored the data of a sparse file inline (entry "/s")';
      assert.throws(() => read(tar), { message: inline });
    }
    const extended = sparseTars(sparseFile(1000, Array(5).fill([0, 0])), 's').gnu;
    const store = new MemoryStore();
    const stream = makeSplitStream([extended.subarray(0, 512)], store);
    assert.throws(() => [...readTarEntries(openSplitStream(stream, store))], {
      message: 'Unexpected EOF in splitstream',
    });
  });

  test('a malformed header, with its place', () => {
    const parts = [
      tarHeader({ name: 'f', size: 100 }),
      OBJECT,
      Buffer.alloc(412),
      tarHeader({ name: 'g', checksum: 1 }),
    ];
    assert.throws(() => read(...parts), TarError);
    assert.throws(() => read(...parts), /^TarError: header error: checksum mismatch: .* \(at tar offset 1024\)$/);
  });

  test('an object for anything but a file', () => {
    for (const size of [100, 100_000]) {
      const parts = [tarHeader({ name: 'd', type: 'V', size }), OBJECT, Buffer.alloc(412)];
      const message = `Unsupported external-chunked entry Other(86) ${OBJECT_ID} (entry "/d")`;
      assert.throws(() => read(...parts), { message });
    }
  });

  test('a small file as an object', () => {
    const message = 'Splitstream incorrectly stored a small (64 byte) file external (entry "/f")';
    assert.throws(() => read(tarHeader({ name: 'f', size: 64 }), OBJECT, Buffer.alloc(448)), { message });
  });

  test('a large file inline', () => {
    for (const size of [65, 100_000]) {
      const message = `Splitstream incorrectly stored a large (${size} byte) file inline (entry "/f")`;
      assert.throws(() => read(tarFile('f', Buffer.alloc(size))), { message });
    }
  });

  test('an object where a header or padding should be', () => {
    const message = 'Unexpected external reference in splitstream';
    assert.throws(() => read(OBJECT), { message });
    assert.throws(() => read(tarHeader({ name: 'x', type: 'x', size: 100 }), OBJECT), { message });
    assert.throws(() => read(tarHeader({ name: 'f', size: 100 }), OBJECT, OBJECT), { message });
    assert.throws(() => read(tarHeader({ name: 'f', size: 100_000 }), OBJECT, OBJECT), SplitStreamError);
  });

  test('sizes that lie', () => {
    const lie = (type: string): Buffer =>
      tarHeader({ name: 'f', type, patch: (block) => putBase256(block, 124, 12, 2n ** 50n) });
    assert.throws(() => read(lie('V')), SplitStreamError);
    assert.throws(() => read(lie('V'), Buffer.alloc(1_000_000)), LayerError);
    assert.throws(() => read(lie('0'), Buffer.alloc(1_000_000)), LayerError);
  });
});

function text(id: ObjectId): string {
  return Buffer.from(id, 'hex').toString('latin1');
}

describe('sparse files', () => {
  test('are their content with the holes, whatever the format', () => {
    const file = sparseFile(100_000, [
      [0, 10],
      [5000, 700],
      [50_000, 513],
      [100_000, 0],
    ]);
    const whole = file.whole ?? Buffer.alloc(0);
    const tars = sparseTars(file, 's');
    const tar = tarArchive([tars.gnu, tarFile('x', 'x'), tars.pax00, tars.pax01, tars.pax10, tarFile('y', whole)]);
    const { splitStream, store } = importTar(tar);
    const entries = [...readTarEntries(openSplitStream(splitStream, store))];
    assert.deepEqual(
      entries.map(({ path }) => path),
      ['/s', '/x', '/s', '/s', '/s', '/y'],
    );
    const { item } = entries.at(-1) ?? {};
    assert(item?.type === 'leaf' && item.content.type === 'regular' && item.content.file.storage === 'external');
    assert.equal(item.content.file.size, 100_000);
    for (const entry of entries.filter(({ path }) => path === '/s')) {
      assert.deepEqual(entry.item, item);
      assert.deepEqual(store.readObject(entry.sparse?.data ?? item.content.file.id), file.data);
    }
    const cat = [...catSplitStream(openSplitStream(splitStream, store), (id) => [store.readObject(id)])];
    assert.deepEqual(Buffer.concat(cat), tar);
  });

  test('are checked against what the tar says', () => {
    const file = sparseFile(100_000, [[5000, 700]]);
    const holes = sparseFile(2 ** 27, []);
    const tar = tarArchive([sparseTars(file, 'a').gnu, sparseTars(holes, 'b').pax10]);
    const store = new MemoryStore();
    const { splitStream } = importTar(tar, store);
    const objects = { algorithm: store.algorithm, readObjectChunks: (id: ObjectId) => [store.readObject(id)] };
    runSteps(sparseFileSteps(objects, openSplitStream(splitStream, store)));
    const [, expanded = trustedObjectId('')] = openSplitStream(splitStream, store).objectRefs;
    const other = store.storeObject(Buffer.alloc(100_000)).id;
    const exchanged = Buffer.from(splitStream.toString('latin1').replace(text(expanded), text(other)), 'latin1');
    assert.throws(() => runSteps(sparseFileSteps(objects, openSplitStream(exchanged, store))), {
      message: 'The object of the sparse file "/a" is not what the layer has',
      code: 'INVALID_LAYER',
    });
    store.objects.set(openSplitStream(splitStream, store).objectRefs[0] ?? other, Buffer.alloc(701));
    assert.throws(() => runSteps(sparseFileSteps(objects, openSplitStream(splitStream, store))), LayerError);
  });

  test('small ones are inline', () => {
    const file = sparseFile(64, [[10, 5]]);
    for (const tar of Object.values(sparseTars(file, 's'))) {
      assert.deepEqual(content(tar), { type: 'regular', file: { storage: 'inline', data: file.whole } });
    }
    for (const tar of Object.values(sparseTars(sparseFile(0, []), 's'))) {
      assert.deepEqual(content(tar), { type: 'regular', file: { storage: 'inline', data: Buffer.alloc(0) } });
    }
  });

  test('of an ordinary tar nothing is stored in another way', () => {
    const { splitStream, store } = importTar(boundaryFilesLayer().tar);
    assert.equal(splitStream.readBigUInt64LE(24), 112n);
    assert.deepEqual(openSplitStream(splitStream, store).detachedRefs, []);
  });

  test('their files come after other files of the same content without one of their own in the stream', () => {
    const file = sparseFile(5000, [[0, 5000]]);
    const { gnu } = sparseTars(file, 's');
    const tar = tarArchive([tarFile('x', file.data), gnu, gnu]);
    const { splitStream, store } = importTar(tar);
    const reader = openSplitStream(splitStream, store);
    assert.equal(reader.objectRefs.length, 1);
    const ref = { id: reader.objectRefs[0], size: 5000 };
    assert.deepEqual(reader.detachedRefs, [ref, ref]);
  });
});
