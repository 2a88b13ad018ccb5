import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HASH_ALGORITHMS } from '../../../src/composefs/fsverity/algorithm.js';
import { computeVerity } from '../../../src/composefs/fsverity/digest.js';
import type { ObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { catSplitStream } from '../../../src/composefs/splitstream/cat.js';
import { formatNamedRefs, NO_NAMED_REFS } from '../../../src/composefs/splitstream/named-refs.js';
import { SplitStreamReader } from '../../../src/composefs/splitstream/reader.js';
import { bufferSource } from '../../../src/composefs/splitstream/source.js';
import { SplitStreamWriter } from '../../../src/composefs/splitstream/writer.js';
import { loadWasmEncode } from '../../../src/compression/zstd/encode.js';
import { fullMessage } from '../../../src/errors.js';
import { describe, finished, idOf, open } from './fixtures.js';

/** Test data of T6 in spec 30 §14.1. */
function generated(length: number, seed: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => (((i + seed) % 256) * 17) % 256));
}

test('T6: adjacent inline writes become one chunk', () => {
  const writer = new SplitStreamWriter('sha256', 0n);
  const [first, second] = [generated(32, 1), generated(48, 2)];
  writer.writeInline(first);
  writer.writeInline(Buffer.alloc(0));
  writer.writeInline(second);
  const reader = open(finished(writer));
  assert.ok(reader.readInlineExact(80)?.equals(Buffer.concat([first, second])));
  assert.equal(reader.readInlineExact(1), undefined);
});

test('a stream without names has the section that the encoder makes of nothing', async () => {
  const encode = await loadWasmEncode();
  assert.ok(Buffer.concat([...encode([formatNamedRefs(new Map())])]).equals(NO_NAMED_REFS));
  assert.ok(finished(new SplitStreamWriter('sha256', 0n)).includes(NO_NAMED_REFS));
  assert.equal(open(finished(new SplitStreamWriter('sha256', 0n))).namedRefs().size, 0);
});

test('references whose ids are told later give the same bytes', () => {
  const direct = new SplitStreamWriter('sha256', 0n);
  const reserving = new SplitStreamWriter('sha256', 0n);
  const ids = [idOf(1), idOf(2), idOf(1)];
  const places = ids.map((id, index) => {
    for (const writer of [direct, reserving]) writer.writeInline(generated(100, index));
    direct.writeReference(id);
    return { place: reserving.reserveReference(), id };
  });
  assert.throws(() => reserving.finish(() => []), { code: 'REFERENCE_ORDER', message: '3 references have no object' });
  for (const { place, id } of places) reserving.fillReference(place, id);
  assert.deepEqual(finished(reserving), finished(direct));
});

test('references are filled in the order of their reservation', () => {
  const writer = new SplitStreamWriter('sha256', 0n);
  writer.reserveReference();
  const second = writer.reserveReference();
  assert.throws(() => writer.fillReference(second, idOf(1)), { code: 'REFERENCE_ORDER' });
});

test('T6: externals of all sizes round-trip', () => {
  const contents = [4095, 4096, 4097, 65535, 65536, 65537, 131072].map(generated);
  const objects = new Map(contents.map((content) => [computeVerity('sha256', content), content]));
  const writer = new SplitStreamWriter('sha256', 0n);
  for (const [id, content] of objects) {
    writer.addExternalSize(content.length);
    writer.writeReference(id);
  }
  const reader = open(finished(writer));
  assert.equal(reader.totalSize, Buffer.concat(contents).length);
  const read = Buffer.concat([...catSplitStream(reader, (id) => [objects.get(id) ?? Buffer.alloc(0)])]);
  assert.ok(read.equals(Buffer.concat(contents)));
});

test('T6: repeated objects share one ref', () => {
  const writer = new SplitStreamWriter('sha256', 0n);
  for (const n of [0x0f, 0xf0, 0x0f, 0x0f]) writer.writeReference(idOf(n));
  assert.equal(writer.lookupObjectRef(idOf(0xf0)), 1);
  assert.equal(writer.lookupObjectRef(idOf(1)), undefined);
  const reader = open(finished(writer));
  assert.deepEqual(reader.objectRefs, [idOf(0x0f), idOf(0xf0)]);
  assert.deepEqual(describe(reader), ['external 0f', 'external f0', 'external 0f', 'external 0f']);
});

test('T6: the size counts inline and external bytes', () => {
  const writer = new SplitStreamWriter('sha256', 0xdeadbeefn);
  writer.writeInline(generated(100, 0));
  writer.addExternalSize(1000);
  writer.writeReference(idOf(1));
  const file = finished(writer);
  assert.equal(open(file, 0xdeadbeefn).totalSize, 1100);
  assert.throws(() => open(file, 0xdeadbeeen), /Creating new splitstream reader/);
});

test('objects that are only listed come in the order of their first appearance', () => {
  const writer = new SplitStreamWriter('sha256', 0n);
  assert.equal(writer.addObjectRef(idOf(9)), 0);
  writer.writeReference(idOf(3));
  assert.equal(writer.addObjectRef(idOf(9)), 0);
  assert.equal(writer.addObjectRef(idOf(5)), 2);
  const reader = open(finished(writer));
  assert.deepEqual(reader.objectRefs, [9, 3, 5].map(idOf));
  assert.deepEqual(describe(reader), ['external 03']);
  assert.deepEqual([reader.lookupExternalRef(2), reader.lookupExternalRef(3)], [idOf(5), undefined]);
});

test('named refs: the table keeps the order of the calls, the text is sorted, a repeated name is replaced', () => {
  const writer = new SplitStreamWriter('sha256', 0n);
  writer.addNamedStreamRef('b', idOf(1));
  writer.addNamedStreamRef('\u{10000}', idOf(2)); // sorts behind U+FFFD by its bytes, before it by UTF-16 units
  writer.addNamedStreamRef('\ufffd', idOf(1));
  writer.addNamedStreamRef('a:b', idOf(3));
  writer.addNamedStreamRef('b', idOf(4));
  writer.addNamedStreamRef('', idOf(2));
  const file = finished(writer);
  assert.equal(file.toString('hex', 112, 112 + 128), [1, 2, 3, 4].map(idOf).join(''));
  const reader = open(file);
  assert.deepEqual(
    [...reader.namedRefs()],
    [
      ['', idOf(2)],
      ['a:b', idOf(3)],
      ['b', idOf(4)],
      ['\ufffd', idOf(1)],
      ['\u{10000}', idOf(2)],
    ],
  );
  assert.equal(reader.lookupNamedRef('b'), idOf(4));
  assert.equal(reader.lookupNamedRef('c'), undefined);
});

test('an id of another algorithm, an unsafe size, and a writer that has finished are refused', () => {
  const writer = new SplitStreamWriter('sha512', 0n);
  assert.throws(() => writer.writeReference(idOf(1)), { code: 'INVALID_OBJECT_ID' });
  writer.addExternalSize(Number.MAX_SAFE_INTEGER);
  assert.throws(() => writer.addExternalSize(1), { code: 'INTEGER_TOO_LARGE' });
  assert.throws(() => writer.addExternalSize(-1), { code: 'INTEGER_TOO_LARGE' });
  const done = new SplitStreamWriter('sha256', 0n);
  finished(done);
  assert.throws(() => done.writeInline(Buffer.of(1)), { code: 'SPOOL_DISPOSED' });
});

const step = fc.oneof(
  fc.record({ kind: fc.constant('inline' as const), length: fc.oneof(fc.nat(80), fc.nat(200_000)), seed: fc.nat(255) }),
  fc.record({ kind: fc.constant('external' as const), object: fc.nat(5) }),
);

test('any sequence of chunks reads back equal, with both algorithms, in memory and spilled', () => {
  const objects = [0, 1, 65, 4096, 131073, 300_000].map(generated);
  fc.assert(
    fc.property(
      fc.constantFrom(...HASH_ALGORITHMS),
      fc.array(step, { maxLength: 20 }),
      fc.constantFrom(0, 1e9),
      fc.bigInt(0n, 2n ** 64n - 1n),
      (algorithm, steps, memoryLimit, contentType) => {
        const store = new Map(objects.map((content) => [computeVerity(algorithm, content), content]));
        const ids = [...store.keys()];
        const writer = new SplitStreamWriter(algorithm, contentType, { memoryLimit });
        const expected: Buffer[] = [];
        for (const item of steps) {
          if (item.kind === 'inline') {
            const data = generated(item.length, item.seed);
            writer.writeInline(data);
            expected.push(data);
          } else {
            const id = ids[item.object];
            const content = objects[item.object];
            assert.ok(id !== undefined && content !== undefined);
            writer.addExternalSize(content.length);
            writer.writeReference(id);
            expected.push(content);
          }
        }
        const reader = SplitStreamReader.open(bufferSource(finished(writer)), algorithm, { contentType });
        const read = Buffer.concat([...catSplitStream(reader, (id) => [store.get(id) ?? Buffer.from('unknown')])]);
        assert.ok(read.equals(Buffer.concat(expected)));
        assert.equal(reader.totalSize, read.length);
      },
    ),
    { numRuns: 25 },
  );
});

test('objects that are no part of the stream are listed after what the format knows', () => {
  for (const algorithm of HASH_ALGORITHMS) {
    const ids = [1, 2, 3].map((seed) => computeVerity(algorithm, generated(100, seed)));
    const [a, b, c] = ids as [ObjectId, ObjectId, ObjectId];
    const writer = new SplitStreamWriter(algorithm, 7n);
    writer.writeInline(generated(10, 1));
    writer.writeReference(a);
    writer.addDetachedRef({ id: b, size: 7 });
    writer.addDetachedRef({ id: a, size: 2 ** 53 - 1 });
    writer.writeReference(c);
    writer.addDetachedRef({ id: b, size: 7 });
    const file = finished(writer);
    assert.deepEqual([file.readBigUInt64LE(16), file.readBigUInt64LE(24)], [32n, 136n]);
    assert.equal(file.toString('latin1', 112, 120), 'detached');
    const read = (bytes: Buffer): SplitStreamReader => SplitStreamReader.open(bufferSource(bytes), algorithm);
    const last = { id: b, size: 7 };
    assert.deepEqual(read(file).detachedRefs, [last, { id: a, size: 2 ** 53 - 1 }, last]);
    assert.deepEqual(read(file).objectRefs, [a, b, c]);
    // Whoever knows 80 bytes only, or finds the tag of somebody else, reads the same stream.
    for (const patch of [
      (copy: Buffer) => copy.writeBigUInt64LE(112n, 24),
      (copy: Buffer) => copy.fill('x', 112, 120),
    ]) {
      const copy = Buffer.from(file);
      patch(copy);
      assert.deepEqual(read(copy).detachedRefs, []);
      assert.deepEqual([...read(copy).chunks()], [...read(file).chunks()]);
    }
    const bad = Buffer.from(file);
    bad.writeBigUInt64LE(3n, Number(file.readBigUInt64LE(120)));
    assert.throws(
      () => read(bad),
      (error) => /Splitstream detached reference is out of range/.test(fullMessage(error)),
    );
    const short = Buffer.from(file);
    short.writeBigUInt64LE(file.readBigUInt64LE(128) - 1n, 128);
    assert.throws(
      () => read(short),
      (error) => /Splitstream detached reference is out of range/.test(fullMessage(error)),
    );
    const outside = Buffer.from(file);
    outside.writeBigUInt64LE(2n ** 63n, 128);
    assert.throws(
      () => read(outside),
      (error) => /Incomplete read from splitstream file/.test(fullMessage(error)),
    );
  }
});
