import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ByteString, byteStringFrom, byteStringFromText } from '../../../src/bytes/byte-string.js';
import { type ObjectId, trustedObjectId } from '../../../src/composefs/fsverity/object-id.js';
import type { LeafContent } from '../../../src/composefs/tree/inode.js';
import { LeafTable } from '../../../src/composefs/tree/leaf-table.js';
import { type Stat, UNINITIALIZED_STAT } from '../../../src/composefs/tree/stat.js';

const b = byteStringFromText;
const FIFO: LeafContent = { type: 'fifo' };
const stat = (fields: Partial<Stat>): Stat => ({ ...UNINITIALIZED_STAT, ...fields });

function addAll(table: LeafTable, leaves: readonly (readonly [Stat, LeafContent])[]): number[] {
  return leaves.map(([each, content]) => table.add(each, content) ?? assert.fail('a row holds it'));
}

function plain<T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(fields, { noNullPrototype: true });
}

const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const bytes = (maxLength: number): fc.Arbitrary<ByteString> => fc.uint8Array({ maxLength }).map(byteStringFrom);
const id: fc.Arbitrary<ObjectId> = fc
  .constantFrom(32, 64)
  .chain((size) => fc.uint8Array({ minLength: size, maxLength: size }))
  .map((digest) => trustedObjectId(Buffer.from(digest).toString('hex')));
const size = fc.maxSafeNat();
const anyStat: fc.Arbitrary<Stat> = plain({
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: uint32,
  gid: uint32,
  mtimeSec: fc.maxSafeInteger(),
  mtimeNsec: fc.integer({ min: 0, max: 999_999_999 }),
  xattrs: fc.array(fc.tuple(bytes(3), bytes(3)), { maxLength: 2 }).map((pairs) => new Map(pairs)),
});
const anyContent: fc.Arbitrary<LeafContent> = fc.oneof(
  fc
    .oneof(
      fc.uint8Array({ maxLength: 80 }).map((data) => ({ storage: 'inline' as const, data: Buffer.from(data) })),
      plain({ storage: fc.constant('external' as const), id, size }),
      plain({ storage: fc.constant('external' as const), id, size, payload: bytes(9) }),
      plain({ storage: fc.constant('external-no-verity' as const), payload: bytes(9), size }),
      plain({ storage: fc.constant('sparse' as const), size }),
    )
    .map((file) => ({ type: 'regular' as const, file })),
  plain({ type: fc.constant('symlink' as const), target: bytes(40) }),
  plain({ type: fc.constantFrom('block-device' as const, 'character-device' as const), rdev: size }),
  plain({ type: fc.constantFrom('fifo' as const, 'socket' as const) }),
);

test('leaves come back as they were, also from the rows of those that are gone', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anyStat, anyContent, fc.boolean()), { maxLength: 40 }), (steps) => {
      const table = new LeafTable();
      const held = new Map<number, readonly [Stat, LeafContent]>();
      for (const [each, content, releases] of steps) {
        const row = table.add(each, content) ?? assert.fail('a row holds it');
        assert(!held.has(row));
        held.set(row, [each, content]);
        const [first] = held.keys();
        if (releases && first !== undefined) {
          table.release(first);
          held.delete(first);
        }
      }
      for (const [row, leaf] of held) assert.deepEqual([table.stat(row), table.content(row)], leaf);
    }),
  );
});

test('a row can be changed, and has what is asked for without making a leaf of it', () => {
  const table = new LeafTable();
  const xattrs = new Map([[b('user.a'), b('1')]]);
  const digest = trustedObjectId('ab'.repeat(32));
  const payload = b('/else/where');
  const [file = -1, whiteout = -1] = addAll(table, [
    [stat({ mtimeSec: -5 }), { type: 'regular', file: { storage: 'external', id: digest, size: 2 ** 40, payload } }],
    [stat({ uid: 7 }), { type: 'character-device', rdev: 0 }],
  ]);
  assert.equal(table.setStat(file, stat({ mtimeSec: 9, mtimeNsec: 3, mode: 0o644, uid: 1, gid: 2, xattrs })), true);
  assert.deepEqual(table.stat(file), { mode: 0o644, uid: 1, gid: 2, mtimeSec: 9, mtimeNsec: 3, xattrs });
  assert.deepEqual(
    [table.size(file), table.digestLength(file), table.dataLength(file), table.dataText(file, 32)],
    [2 ** 40, 32, 32 + payload.length, payload],
  );
  assert.deepEqual([table.isWhiteout(file), table.isWhiteout(whiteout), table.uid(whiteout)], [false, true, 7]);
});

test('what no row can hold is refused, and leaves the table as it was', () => {
  const table = new LeafTable();
  const [first = -1] = addAll(table, [[stat({ uid: 1 }), FIFO]]);
  for (const fields of [
    { uid: -1 },
    { gid: 2 ** 32 },
    { mode: 0.5 },
    { mtimeSec: 2 ** 53 },
    { mtimeNsec: Number.NaN },
  ]) {
    assert.equal(table.add(stat(fields), FIFO), undefined);
    assert.equal(table.setStat(first, stat(fields)), false);
  }
  const external = (text: string): LeafContent => ({
    type: 'regular',
    file: { storage: 'external', id: trustedObjectId(text), size: 1 },
  });
  for (const content of [external('ab'), external('x'.repeat(64)), { type: 'block-device', rdev: 1.5 } as const]) {
    assert.equal(table.add(stat({}), content), undefined);
  }
  const [second] = addAll(table, [[stat({ uid: 2 }), FIFO]]);
  assert.deepEqual([table.uid(first), second], [1, first + 1]);
});

test('content of any length is kept, many leaves fill many pieces of memory, and so do many sets of xattrs', () => {
  const table = new LeafTable();
  const sizes = [70_000, 5, 65_536, 65_537, 0, 65_535, 1, 200_000];
  const contents = sizes.map((length, n): LeafContent => {
    return { type: 'regular', file: { storage: 'inline', data: Buffer.alloc(length, n + 1) } };
  });
  const rows = addAll(
    table,
    contents.map((content) => [stat({}), content]),
  );
  const links = Array.from({ length: 5000 }, (_, n): [Stat, LeafContent] => [
    stat({ uid: n, xattrs: new Map([[b('user.n'), b(`${n % 1500}`)]]) }),
    { type: 'symlink', target: b(`target ${n} ${'x'.repeat(n % 100)}`) },
  ]);
  const linkRows = addAll(table, links);
  assert.deepEqual(
    rows.map((row) => table.content(row)),
    contents,
  );
  assert.deepEqual(
    linkRows.map((row) => [table.stat(row), table.content(row)]),
    links,
  );
});

test('an empty file has its place also where digests have filled a piece of memory to its last byte', () => {
  for (const digestBytes of [32, 64]) {
    const table = new LeafTable();
    const digest = trustedObjectId('ab'.repeat(digestBytes));
    const file: LeafContent = { type: 'regular', file: { storage: 'external', id: digest, size: 100 } };
    const empty: LeafContent = { type: 'regular', file: { storage: 'inline', data: Buffer.alloc(0) } };
    const noTarget: LeafContent = { type: 'symlink', target: b('') };
    // 64 KiB of them.
    const files = Array.from({ length: 65536 / digestBytes }, () => file);
    const contents = [...files, empty, noTarget, file, empty];
    const rows = addAll(
      table,
      contents.map((content) => [stat({}), content]),
    );
    assert.deepEqual(
      rows.map((row) => table.content(row)),
      contents,
    );
  }
});
