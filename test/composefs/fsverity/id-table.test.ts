import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { digestSize, HASH_ALGORITHMS, type HashAlgorithm } from '../../../src/composefs/fsverity/algorithm.js';
import { ObjectIdTable } from '../../../src/composefs/fsverity/id-table.js';
import { type ObjectId, objectIdToBytes, parseObjectId } from '../../../src/composefs/fsverity/object-id.js';

const idOf = (algorithm: HashAlgorithm, number: number): ObjectId =>
  parseObjectId(algorithm, createHash(algorithm).update(`${number}`).digest('hex'));

/** Ids that differ in one place only: all but one of their words are the same. */
const likeOf = (algorithm: HashAlgorithm, number: number): ObjectId =>
  parseObjectId(algorithm, number.toString(16).padStart(2 * digestSize(algorithm), 'a'));

for (const algorithm of HASH_ALGORITHMS) {
  for (const [name, make] of [['of hashes', idOf] as const, ['nearly alike', likeOf] as const]) {
    test(`${algorithm} ids ${name} are numbered as a map numbers them`, () => {
      fc.assert(
        fc.property(fc.array(fc.nat(400), { maxLength: 1500 }), (numbers) => {
          const table = new ObjectIdTable(digestSize(algorithm));
          const expected = new Map<ObjectId, number>();
          for (const number of numbers) {
            const id = make(algorithm, number);
            const bytes = Buffer.concat([Buffer.of(7), objectIdToBytes(id), Buffer.of(8)]);
            assert.equal(table.lookup(id), expected.get(id));
            assert.equal(table.lookupBytes(bytes, 1), expected.get(id));
            assert.equal(table.has(id), expected.has(id));
            if (!expected.has(id)) expected.set(id, expected.size);
            const index = number % 2 === 0 ? table.add(id) : table.addBytes(bytes, 1);
            assert.equal(index, expected.get(id));
            assert.equal(table.at(index), id);
            assert.equal(table.firstByteAt(index), bytes[1]);
            assert.equal(table.size, expected.size);
          }
          assert.equal(table.toBytes().toString('hex'), [...expected.keys()].join(''));
          assert.deepEqual([...table], [...expected.keys()]);
          const copy = new ObjectIdTable(digestSize(algorithm));
          copy.addAll(Buffer.concat([table.toBytes(), table.toBytes()]));
          assert.deepEqual([...copy], [...expected.keys()]);
        }),
        { numRuns: 50 },
      );
    });
  }

  test(`${algorithm}: what is no id is refused and leaves nothing`, () => {
    const table = new ObjectIdTable(digestSize(algorithm));
    const hex = 'ab'.repeat(digestSize(algorithm));
    for (const text of ['', hex.slice(2), `${hex}ab`, `${hex.slice(1)}x`, `x${hex.slice(1)}`]) {
      assert.throws(() => table.add(text as ObjectId), { code: 'INVALID_OBJECT_ID' });
      assert.equal(table.lookup(text as ObjectId), undefined);
    }
    assert.equal(table.add(hex as ObjectId), 0);
    assert.equal(table.toBytes().toString('hex'), hex);
    const bytes = Buffer.alloc(digestSize(algorithm) + 2);
    for (const start of [-1, 3, Number.NaN]) {
      assert.throws(() => table.addBytes(bytes, start), RangeError);
      assert.throws(() => table.lookupBytes(bytes, start), RangeError);
    }
    assert.throws(() => table.at(1), RangeError);
    assert.equal(table.size, 1);
  });
}
