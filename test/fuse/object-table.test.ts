import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { ObjectTable } from '../../src/fuse/object-table.js';

test('an object has one slot, in every table over the same memory', () => {
  const table = ObjectTable.forImage(96 * 1000);
  const other = new ObjectTable(table.buffer);
  const keys = Array.from({ length: 1000 }, () => randomBytes(32));
  const slots = keys.map((key) => table.slotOf(key));
  assert(slots.every((slot) => slot !== undefined));
  assert.equal(new Set(slots).size, 1000);
  assert.deepEqual(
    keys.map((key) => other.slotOf(key)),
    slots,
  );
  const [first = 0, second = 0] = slots;
  assert(!table.isVerified(first));
  other.setVerified(first);
  assert(table.isVerified(first));
  assert(!table.isVerified(second));
  assert.equal(table.slotOf(keys[0] ?? randomBytes(32)), first);
});

test('a table that is full has no place for more, and keeps what it has', () => {
  const table = ObjectTable.forImage(0);
  const keys = Array.from({ length: 200 }, () => randomBytes(32));
  const slots = keys.map((key) => table.slotOf(key));
  assert.equal(slots.filter((slot) => slot !== undefined).length, 32);
  assert.deepEqual(
    keys.map((key) => table.slotOf(key)),
    slots,
  );
});

test('a backing file is registered for the first open file and unregistered after the last', () => {
  const table = ObjectTable.forImage(10_000);
  const slot = table.slotOf(randomBytes(32)) ?? assert.fail();
  const calls: string[] = [];
  const open = (id: number): number | undefined =>
    table.retainBacking(slot, () => {
      calls.push(`open ${id}`);
      return id;
    });
  const release = (): void => table.releaseBacking(slot, (id) => calls.push(`close ${id}`));
  assert.deepEqual([open(7), open(8)], [7, 7]);
  release();
  assert.deepEqual(calls, ['open 7']);
  release();
  release();
  assert.deepEqual(calls, ['open 7', 'close 7']);
  assert.equal(open(9), 9);
  table.releaseBacking(2 ** 40, () => assert.fail());
  table.releaseBacking(-1, () => assert.fail());
});

test('after a refusal nothing new is passed through; what is open so, goes on', () => {
  const table = ObjectTable.forImage(10_000);
  const [open = 0, refused = 0] = [randomBytes(32), randomBytes(32)].map((key) => table.slotOf(key));
  assert.equal(
    table.retainBacking(open, () => 3),
    3,
  );
  const refuse = (): number => {
    throw new Error('ELOOP');
  };
  assert.equal(table.retainBacking(refused, refuse), undefined);
  assert.equal(
    table.retainBacking(refused, () => 4),
    undefined,
  );
  assert.equal(table.retainBacking(open, refuse), 3);
  table.releaseBacking(open, () => undefined);
  table.releaseBacking(open, () => undefined);
  assert.equal(
    table.retainBacking(open, () => 5),
    undefined,
  );
});
