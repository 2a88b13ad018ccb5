import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { Spool } from '../../src/fs/spool.js';
import { withTempDir } from '../support/paths.js';

const content = (spool: Spool): Buffer => Buffer.concat(Array.from(spool.chunks(), (chunk) => Buffer.from(chunk)));

type Operation = { readonly kind: 'append'; readonly length: number } | { readonly kind: 'patch'; readonly at: number };

const operations: fc.Arbitrary<Operation[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('append' as const), length: fc.constantFrom(0, 1, 8, 700, 131071, 131072, 300_000) }),
    fc.record({ kind: fc.constant('patch' as const), at: fc.double({ min: 0, max: 1, noNaN: true }) }),
  ),
  { maxLength: 12 },
);

test('what is appended and patched is read back, in memory and from a file', () => {
  withTempDir((directory) => {
    fc.assert(
      fc.property(operations, fc.constantFrom(0, 200_000, 1e9), (steps, memoryLimit) => {
        const spool = new Spool({ memoryLimit, directory });
        let expected = Buffer.alloc(0);
        for (const [index, step] of steps.entries()) {
          if (step.kind === 'append') {
            const data = Buffer.alloc(step.length, index + 1);
            spool.append(data);
            expected = Buffer.concat([expected, data]);
          } else {
            const offset = Math.floor(step.at * expected.length);
            const data = Buffer.alloc(Math.min(9, expected.length - offset), index + 101);
            spool.patch(offset, data);
            data.copy(expected, offset);
          }
          assert.equal(spool.size, expected.length);
        }
        assert.ok(content(spool).equals(expected));
        assert.ok(content(spool).equals(expected));
        spool.dispose();
      }),
      { numRuns: 60 },
    );
  });
});

test('a patch may span blocks and the border between file and memory', () => {
  const spool = new Spool({ memoryLimit: 131072 });
  spool.append(Buffer.alloc(3 * 131072 + 10));
  spool.patch(131072 + 3, Buffer.alloc(2 * 131072 + 5, 1));
  const data = content(spool);
  assert.deepEqual([data[131074], data[131075], data.lastIndexOf(1), data.length], [0, 1, 3 * 131072 + 7, 393226]);
  spool.dispose();
});

test('the temporary file has no name', () => {
  withTempDir((directory) => {
    const spool = new Spool({ memoryLimit: 0, directory });
    spool.append(Buffer.alloc(500_000, 3));
    assert.deepEqual(readdirSync(directory), []);
    assert.equal(content(spool).length, 500_000);
    spool.dispose();
  });
});

test('patches outside and uses after disposal are refused', () => {
  const spool = new Spool();
  spool.append(Buffer.alloc(10));
  assert.throws(() => spool.patch(8, Buffer.alloc(3)), RangeError);
  assert.throws(() => spool.patch(-1, Buffer.alloc(1)), RangeError);
  spool.dispose();
  spool.dispose();
  assert.throws(() => spool.append(Buffer.of(1)), { code: 'SPOOL_DISPOSED' });
  assert.throws(() => content(spool), { code: 'SPOOL_DISPOSED' });
});
