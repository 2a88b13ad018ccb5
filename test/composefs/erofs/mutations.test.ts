import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  collectObjects,
  debugImage,
  ErofsImage,
  type FormatVersion,
  fsckMetadata,
  readErofsTree,
} from '../../../src/composefs/erofs/index.js';
import { parseObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { readCTree } from '../../../src/composefs/mkcomposefs/index.js';
import type { Directory } from '../../../src/composefs/tree/inode.js';
import { ComposefsError, findCause, fullMessage } from '../../../src/errors.js';
import { cpuTime } from '../../support/cpu-time.js';
import { Random } from '../../support/random.js';
import { directory, inline, leaf, name, simpleTree, stat, WHITEOUT, write, xattrs } from './support.js';

const { COMPOSEFS_TEST_FUZZ = '1500', COMPOSEFS_TEST_SEED = '20' } = process.env;
const ITERATIONS = Number(COMPOSEFS_TEST_FUZZ);
/** One image must not keep its reader busy. */
const TIME_MAX = 5000;

/** The seed shapes of the reference's fuzzer (spec 20 §15.4). */
function seeds(): Directory[] {
  const external = leaf({
    type: 'regular',
    file: { storage: 'external', id: parseObjectId('sha256', '00'.repeat(32)), size: 65536 },
  });
  const shared = leaf(inline('linked'));
  const labels = { xattrs: xattrs({ 'security.selinux': 'label', 'user.a': 'b', 'trusted.overlay.x': 'y' }) };
  let nested = directory({ file: leaf(inline('deep')) });
  for (let depth = 0; depth < 8; depth++) nested = directory({ [`d${depth}`]: nested });
  const many = Object.fromEntries(Array.from({ length: 25 }, (_, n) => [`file-${n}`, leaf(inline(`content ${n}`))]));
  return [
    directory(),
    directory({ f: leaf(inline('hello world')) }),
    directory({ f: external }),
    directory({ l: leaf({ type: 'symlink', target: name('/target') }) }),
    directory({ p: leaf({ type: 'fifo' }) }),
    directory({
      c: leaf({ type: 'character-device', rdev: 259 }),
      b: leaf({ type: 'block-device', rdev: 2048 }),
      w: leaf(WHITEOUT),
    }),
    directory({ a: directory({ b: directory({ c: directory({ file: leaf(inline('x')) }) }) }) }),
    directory(many),
    directory({
      f: leaf(inline('x'), stat(0o644, labels)),
      g: leaf(inline('y'), stat(0o600, labels)),
      d: directory({ w: leaf(WHITEOUT) }),
    }),
    simpleTree(),
    directory({ a: shared, b: shared, c: directory({ d: shared }) }),
    directory({ f: leaf(inline('x'.repeat(4000))) }),
    nested,
    directory(
      {
        a: leaf(inline('x'), stat(0o644, { mtimeSec: 1_700_000_000 })),
        b: leaf(inline('y'), stat(0o644, { uid: 65536, gid: 65536, mtimeSec: 500_000 })),
      },
      stat(0o755, { mtimeSec: 1_000_000 }),
    ),
    directory({
      d: directory(
        Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`${'n'.repeat(60)}${n}`, leaf(inline(''))])),
      ),
    }),
  ];
}

const INTERESTING: readonly number[] = [
  0, 1, 2, 0x7f, 0x80, 0xff, 0xfff, 0x1000, 0x1001, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff,
];

function mutate(image: Buffer, random: Random): Buffer {
  const copy = Buffer.from(image);
  const used = copy.length;
  // Most of an image is padding: take places near what is not zero.
  const place = (): number => {
    for (let i = 0; i < 20; i++) {
      const at = random.below(used);
      if (copy[at] !== 0) return at;
    }
    return random.below(used);
  };
  for (let count = 1 + random.below(4); count > 0; count--) {
    const at = place();
    switch (random.below(6)) {
      case 0:
        copy[at] = random.below(256);
        break;
      case 1:
        copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
        break;
      case 2:
        if (at + 4 <= used) copy.writeUInt32LE(random.pick(INTERESTING), at - (at % 4));
        break;
      case 3:
        if (at + 2 <= used) copy.writeUInt16LE(random.pick(INTERESTING) % 65536, at - (at % 2));
        break;
      case 4:
        copy.copyWithin(random.below(used), at, Math.min(used, at + random.below(128)));
        break;
      default:
        copy.writeUInt32LE(36 + random.below(used / 32 - 36), at - (at % 4));
    }
  }
  return random.below(50) === 0 ? copy.subarray(0, random.below(used)) : copy;
}

/** Every way to read, each allowed to fail in an orderly manner. */
const READERS: readonly ((data: Buffer) => unknown)[] = [
  (data) => readErofsTree(data, 'sha256'),
  (data) => collectObjects(data, 'sha256'),
  (data) => fsckMetadata(ErofsImage.open(data)),
  (data) => debugImage(data),
  (data) => readCTree(data),
];

function readAll(data: Buffer): number {
  let succeeded = 0;
  for (const read of READERS) {
    try {
      read(data);
      succeeded++;
    } catch (error) {
      if (findCause(error, ComposefsError) === undefined) throw error;
    }
  }
  return succeeded;
}

test(`${ITERATIONS} mutations of valid images neither crash nor hang their readers`, (t) => {
  const images = seeds().flatMap((root) =>
    ([0, 1, 2] as const satisfies FormatVersion[]).map((version) => write(root, version)),
  );
  for (const image of images) assert.ok(readAll(image) >= 4, 'a seed is valid');
  const random = new Random(Number(COMPOSEFS_TEST_SEED));
  let [accepted, slowest] = [0, 0];
  for (let i = 0; i < ITERATIONS; i++) {
    const mutated = mutate(random.pick(images), random);
    const start = cpuTime();
    accepted += readAll(mutated);
    const time = cpuTime() - start;
    slowest = Math.max(slowest, time);
    assert.ok(time < TIME_MAX, `mutation ${i} took ${time} ms`);
  }
  const memory = process.memoryUsage().rss / 2 ** 20;
  t.diagnostic(
    `${accepted} of ${ITERATIONS * READERS.length} reads succeeded, slowest image ${slowest.toFixed(0)} ms, ${memory.toFixed(0)} MiB`,
  );
  assert.ok(accepted > 0);
});

test('arbitrary bytes are refused in an orderly manner', () => {
  const random = new Random(7);
  for (let i = 0; i < Math.min(ITERATIONS, 500); i++) {
    readAll(random.bytes(random.below(3000)));
  }
});

test('images that are made to overlap are read in bounded time', () => {
  const seed = write(directory(), 2);
  const size = 2 ** 21;
  const data = Buffer.alloc(size);
  seed.copy(data);
  // Inodes each with the largest xattr area, over those of the others; the root leads to all of them.
  for (let at = 8192; at < 8192 + 200 * 128; at += 128) {
    data.writeUInt16LE(1, at);
    data.writeUInt16LE(0xffff, at + 2);
    data.writeUInt16LE(0o100644, at + 4);
    data.writeUInt32LE(1, at + 44);
  }
  const root = 1152;
  const entries = 200;
  data.writeUInt16LE(5, root);
  data.writeUInt32LE(12 * (entries + 2) + 3 + 3 * entries, root + 8);
  let offset = 12 * (entries + 2);
  const names = ['.', '..', ...Array.from({ length: entries }, (_, n) => String(n).padStart(3, '0'))];
  names.forEach((text, index) => {
    const at = root + 64 + 12 * index;
    data.writeUInt32LE(index < 2 ? 36 : 256 + 4 * (index - 2), at);
    data.writeUInt16LE(offset, at + 8);
    data.write(text, root + 64 + offset, 'latin1');
    offset += text.length;
  });
  const start = cpuTime();
  readAll(data);
  assert.ok(cpuTime() - start < TIME_MAX);
  for (const read of READERS) {
    assert.throws(
      () => read(data),
      (error) => {
        assert.match(fullMessage(error), /its parts overlap/);
        return true;
      },
    );
  }
});
