import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ByteString, byteStringFromText } from '../../src/bytes/byte-string.js';
import {
  isAtOrBelow,
  type MountInfo,
  mountsBelow,
  parseMountInfo,
  readMountInfo,
  visibleMountAt,
} from '../../src/system/mount-info.js';

const parse = (text: string): MountInfo[] => parseMountInfo(Buffer.from(text, 'latin1'));
const bytes = byteStringFromText;

test('a line is taken apart', () => {
  const line = '36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue\n';
  assert.deepEqual(parse(line), [
    {
      id: 36,
      parentId: 35,
      device: '98:0',
      root: '/mnt1',
      mountPoint: '/mnt2',
      options: ['rw', 'noatime'],
      fsType: 'ext3',
      source: '/dev/root',
      superOptions: ['rw', 'errors=continue'],
    },
  ]);
});

test('escapes are resolved, in values after their list is split', () => {
  const [mount] = parse(
    '1 0 0:1 / /a\\040b\\011c\\012d\\134e\\303\\244 ro - overlay composefs:x\\040y ro,lowerdir+=/a\\054b\\134,xino=off\n',
  );
  assert.equal(mount?.mountPoint, '/a b\tc\nd\\e\u00c3\u00a4');
  assert.equal(mount?.source, 'composefs:x y');
  assert.deepEqual(mount?.superOptions, ['ro', 'lowerdir+=/a,b\\', 'xino=off']);
});

test('a backslash that begins no escape stays, and what comes out of one is not looked at again', () => {
  assert.equal(parse('1 0 0:1 / /a\\xb\\08\\477 ro - tmpfs t rw\n')[0]?.mountPoint, '/a\\xb\\08\\477');
  assert.equal(parse('1 0 0:1 / /\\134040 ro - tmpfs t rw\n')[0]?.mountPoint, '/\\040');
});

test('an empty source, no tags, and a hyphen as a mount point', () => {
  const [mount] = parse('1 0 0:1 - - - - tmpfs  rw\n');
  assert.deepEqual([mount?.mountPoint, mount?.fsType, mount?.source], ['-', 'tmpfs', '']);
});

test('what is no mount table is refused with the number of the line', () => {
  const good = '1 0 0:1 / / rw - tmpfs t rw\n';
  const refuse = (text: string, message: RegExp): void =>
    assert.throws(() => parse(text), { code: 'INVALID_MOUNTINFO', message });
  refuse(`${good}\n`, /^line 2 .*: it has too few fields$/);
  refuse('1 0 0:1 / / rw tmpfs t rw\n', /^line 1 .*: it has too few fields$/);
  refuse('1 0 0:1 / / rw - tmpfs t\n', /^line 1 .*: it has too few fields$/);
  refuse('x 0 0:1 / / rw - tmpfs t rw\n', /^line 1 .*numbers of a mount$/);
  refuse('1 0 0 / / rw - tmpfs t rw\n', /^line 1 .*numbers of a mount$/);
  assert.deepEqual(parse(''), []);
  for (let end = 1; end < good.length; end++) refuse(good.slice(0, end), /^line 1 .*: it is cut off$/);
});

test('names survive the escaping of the kernel', () => {
  const name = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array).toString('latin1') as ByteString);
  fc.assert(
    fc.property(name, name, (mountPoint, source) => {
      const escaped = (text: string): string =>
        text.replace(/[ \t\n\\#]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
      const [mount] = parse(`1 0 0:1 / ${escaped(mountPoint)} rw - tmpfs ${escaped(source)} rw\n`);
      assert.equal(mount?.mountPoint, mountPoint);
      assert.equal(mount?.source, source);
    }),
  );
});

const TABLE = parse(
  [
    '20 1 8:1 / / rw - ext4 /dev/sda rw',
    '21 20 0:20 / /a rw - tmpfs below rw',
    '22 21 0:21 / /a/b rw - tmpfs hidden rw',
    '23 21 0:22 / /a rw - tmpfs above rw',
    '24 23 0:23 / /a/c rw - tmpfs seen rw',
    '25 20 0:24 / /ab rw - tmpfs other rw',
    '',
  ].join('\n'),
);

test('the topmost mount is found, and none that is covered', () => {
  const sourceAt = (path: string): string | undefined => visibleMountAt(TABLE, bytes(path))?.source;
  assert.equal(sourceAt('/'), '/dev/sda');
  assert.equal(sourceAt('/a'), 'above');
  assert.equal(sourceAt('/a/b'), undefined);
  assert.equal(sourceAt('/a/c'), 'seen');
  assert.equal(sourceAt('/ab'), 'other');
  assert.equal(sourceAt('/a/c/d'), undefined);
});

test('a table in which mounts lead in circles is survived', () => {
  const table = parse('1 0 0:1 / / rw - t a rw\n2 3 0:1 / / rw - t b rw\n3 2 0:1 / / rw - t c rw\n');
  assert.equal(visibleMountAt(table, bytes('/'))?.source, 'a');
  assert.equal(visibleMountAt(parse('1 1 0:1 / / rw - t a rw\n'), bytes('/'))?.source, 'a');
  assert.equal(visibleMountAt([], bytes('/')), undefined);
});

test('mounts below a path', () => {
  assert.deepEqual(
    mountsBelow(TABLE, bytes('/a')).map((mount) => mount.source),
    ['hidden', 'seen'],
  );
  assert(isAtOrBelow('/a', '/'));
  assert(!isAtOrBelow('/ab', '/a'));
});

test('the table of this process can be read', () => {
  assert.equal(visibleMountAt(readMountInfo(), bytes('/proc'))?.fsType, 'proc');
});
