import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { byteStringFromText } from '../../../src/bytes/byte-string.js';
import { writeDumpfile } from '../../../src/composefs/dumpfile/writer.js';
import { Directory } from '../../../src/composefs/tree/inode.js';
import { getDirectory, getFile, getLeaf } from '../../../src/composefs/tree/lookup.js';
import { ComposefsError, fullMessage } from '../../../src/errors.js';
import { parseDumpfile } from '../../support/at-once.js';
import { cpuTime } from '../../support/cpu-time.js';
import { errorOf } from '../../support/failures.js';

const b = byteStringFromText;
const ROOT = '/ 0 40755 2 0 0 0 0.0 - - -\n';
const DIGEST = 'ab'.repeat(32);

function parse(text: string): Directory {
  return parseDumpfile(Buffer.from(text, 'latin1'), 'sha256');
}

function roundTrip(text: string): string {
  return [...writeDumpfile(parse(text))].join('');
}

/** The innermost message, and whether the line is named around it. */
function refusal(text: string): string {
  const error = errorOf(() => parse(text));
  assert(error instanceof ComposefsError);
  return fullMessage(error).replace(/^Failed to parse dumpfile line: .*?: (?=[A-Za-z]+)/s, 'LINE: ');
}

test('hard links to hard links are one leaf', () => {
  const text = [
    '/ 0 40755 2 0 0 0 1000.0 - - -',
    '/original 11 100644 2 0 0 0 1000.0 - hello_world -',
    '/hardlink1 0 @120000 - - - - 0.0 /original - -',
    '/dir1 0 40755 2 0 0 0 1000.0 - - -',
    '/dir1/hardlink2 0 @120000 - - - - 0.0 /hardlink1 - -',
  ].join('\n');
  const root = parse(text);
  const leaf = getLeaf(root, b('original'));
  assert.equal(getLeaf(root, b('hardlink1')), leaf);
  assert.equal(getLeaf(getDirectory(root, b('dir1')), b('hardlink2')), leaf);
  assert.equal(
    [...writeDumpfile(root)].join(''),
    [
      '/ 0 40755 3 0 0 0 1000.0 - - -',
      '/dir1 0 40755 2 0 0 0 1000.0 - - -',
      '/dir1/hardlink2 11 100644 3 0 0 0 1000.0 - hello_world -',
      '/hardlink1 0 @120000 - - - - 0.0 /dir1/hardlink2 - -',
      '/original 0 @120000 - - - - 0.0 /dir1/hardlink2 - -',
      '',
    ].join('\n'),
  );
});

test('a written dump is stable', () => {
  const simple = [
    ROOT.trimEnd(),
    '/blkdev 0 60000 1 0 0 123 0.0 - - -',
    '/chrdev 0 20000 1 0 0 123 0.0 - - -',
    '/fifo 0 10000 1 0 0 0 0.0 - - -',
    `/regular-external 1234 100000 1 0 0 0 0.0 5a/${'5a'.repeat(31)} - ${'5a'.repeat(32)}`,
    '/regular-inline 4 100000 1 0 0 0 0.0 - hihi -',
    '/socket 0 140000 1 0 0 0 0.0 - - -',
    '/symlink 7 120000 1 0 0 0 0.0 /target - -',
    '',
  ].join('\n');
  assert.equal(roundTrip(simple), simple);
});

test('details that are read', () => {
  const dash = parse(`${ROOT}/link 1 120777 1 0 0 0 0.0 \\x2d - -`);
  assert.deepEqual(getLeaf(dash, b('link')).content, { type: 'symlink', target: '-' });
  // SIZE of directories and symlinks does not count, nor does NLINK.
  assert.equal(roundTrip('/ 99999 40755 77 0 0 0 0.0 - - -\n'), ROOT);
  assert.equal(
    roundTrip(`${ROOT}/f 0 100644 1 0 0 0 0.0 - - - user.z=1 security.ima=2 trusted.a=3\n`),
    `${ROOT}/f 0 100644 1 0 0 0 0.0 - - - security.ima=2 trusted.a=3 user.z=1\n`,
  );
  const repeated = parse(`${ROOT}/f 0 100644 1 0 0 0 0.0 - - - a=2 a=3 a=1 =e b=x=y\n`);
  assert.deepEqual(
    [...getLeaf(repeated, b('f')).stat.xattrs],
    [
      ['a', '3'],
      ['', 'e'],
      ['b', 'x=y'],
    ],
  );
  const root = parse('/ +0 +40755 +2 +1 +2 +0 +3.+4 - - -\n/ 0 40700 2 5 0 0 18446744073709551615.0 - - -');
  assert.deepEqual([root.stat.mode, root.stat.uid, root.stat.mtimeSec], [0o700, 5, -1]);
  assert.equal(
    roundTrip(
      `${ROOT}/\\x61\\x2fb 0 10000 1 0 0 0 0.0 - - -`.replace('/\\x61', '/d 0 40000 1 0 0 0 0.0 - - -\n/\\x64'),
    ),
    `${'/ 0 40755 3 0 0 0 0.0 - - -\n'}/d 0 40000 2 0 0 0 0.0 - - -\n/d/b 0 10000 1 0 0 0 0.0 - - -\n`,
  );
});

test('the content of regular files', () => {
  const file = (fields: string): unknown => getFile(parse(`${ROOT}/f ${fields}`), b('f'));
  const id = DIGEST;
  assert.deepEqual(file('0 100644 1 0 0 0 0.0 - - -'), { storage: 'inline', data: Buffer.alloc(0) });
  assert.deepEqual(file('5 100644 1 0 0 0 0.0 - - -'), { storage: 'sparse', size: 5 });
  assert.deepEqual(file('5 100644 1 0 0 0 0.0 -  -'), { storage: 'sparse', size: 5 });
  assert.deepEqual(file('99 100644 1 0 0 0 0.0 - abc -'), { storage: 'inline', data: Buffer.from('abc') });
  assert.deepEqual(file(`5 100644 1 0 0 0 0.0 any content ${id.toUpperCase()}`), { storage: 'external', id, size: 5 });
  assert.deepEqual(file(`0 100644 1 0 0 0 0.0 any - ${id}`), { storage: 'external', id, size: 0 });
  const payload = `ab/${'ab'.repeat(31)}`;
  assert.deepEqual(file(`5 100644 1 0 0 0 0.0 ../x/${payload.toUpperCase()} - -`), {
    storage: 'external-no-verity',
    payload,
    size: 5,
  });
  assert.deepEqual(file(`512 100644 1 0 0 0 0.0 - ${'é'.repeat(256)} -`.replaceAll('é', '\xc3\xa9')), {
    storage: 'inline',
    data: Buffer.from('é'.repeat(256)),
  });
});

test('blank lines and CR LF', () => {
  const blank = ['', ' ', '\t\v\f', '\xc2\xa0', '\xe3\x80\x80 \xe2\x80\xa8', '\r'].join('\n');
  assert.equal(
    roundTrip(`${blank}\n${ROOT.trimEnd()}\r\n${blank}\n/f 0 10000 1 0 0 0 0.0 - - -\r\n\n`),
    `${ROOT}/f 0 10000 1 0 0 0 0.0 - - -\n`,
  );
});

test('hard link lines are read up to the payload', () => {
  const target = `${ROOT}/f 0 10600 1 0 0 0 0.0 - - -\n`;
  for (const link of [
    '0 @120000 - - - - 0.0 /f',
    '0 @0 0 0 0 0 0.0 /f - -',
    '0 x@100777 a b c d e /f - junk no-xattr',
  ]) {
    const root = parse(`${target}/l ${link}\n`);
    assert.equal(getLeaf(root, b('l')), getLeaf(root, b('f')), link);
  }
});

test('257 xattrs with names of 255 bytes are accepted, 258 are not', () => {
  const line = (count: number): string => {
    const names = Array.from({ length: count }, (_, i) => `${'x'.repeat(250)}${10000 + i}=`);
    return `${ROOT}/f 0 10000 1 0 0 0 0.0 - - - ${names.join(' ')}\n`;
  };
  assert.equal(getLeaf(parse(line(257)), b('f')).stat.xattrs.size, 257);
  assert.equal(refusal(line(258)), 'LINE: Too many xattrs');
});

test('paths of 4096 bytes are accepted, longer ones are not', () => {
  let dump = ROOT;
  let path = '';
  while (path.length < 4096 - 64) {
    path += `/${'d'.repeat(63)}`;
    dump += `${path} 0 40755 2 0 0 0 0.0 - - -\n`;
  }
  const rest = 4096 - path.length - 1;
  assert.doesNotThrow(() => parse(`${dump}${path}/${'f'.repeat(rest)} 0 10000 1 0 0 0 0.0 - - -`));
  assert.match(
    refusal(`${dump}${path}/${'f'.repeat(rest + 1)} 0 10000 1 0 0 0 0.0 - - -`),
    /: Path is too long: 4097 bytes$/,
  );
});

test('bad paths are refused', () => {
  const table: [string, string][] = [
    ['', 'Invalid empty path'],
    ['foo', 'Invalid non-absolute path'],
    ['../blah', 'Invalid non-absolute path'],
    ['/foo/..', "Invalid path component '..'"],
    ['/foo/../blah', "Invalid path component '..'"],
    ['/.', "Invalid path component '.'"],
    ['/foo/.', "Invalid path component '.'"],
    ['/./foo', "Invalid path component '.'"],
    ['//', 'Empty path component (// or trailing /)'],
    ['/foo//bar', 'Empty path component (// or trailing /)'],
    ['///foo', 'Empty path component (// or trailing /)'],
    ['/foo/', 'Empty path component (// or trailing /)'],
    ['/fo\\x00o', 'Invalid embedded NUL'],
    ['/a\\x2f\\x2eb/..', "Invalid path component '..'"],
  ];
  for (const [path, message] of table) {
    assert.equal(refusal(`${ROOT}${path} 0 40755 2 0 0 0 0.0 - - -`), `LINE: ${message}`, path);
    if (path !== '') {
      const link = `${ROOT}/l 0 @120000 - - - - 0.0 ${path} - -`;
      assert.equal(refusal(link), `LINE: ${message}`, path);
    }
  }
});

test('bad lines are refused', () => {
  const table: [string, string][] = [
    ['/f', 'LINE: Missing size'],
    ['/f 0', 'LINE: Missing mode'],
    ['/f 0 100644', 'LINE: Missing nlink'],
    ['/f 0 100644 1 0 0 0 0.0 - -', 'LINE: Missing digest'],
    ['/f 0 @100644 1 0 0 0', 'LINE: Missing mtime'],
    ['/f 0 @100644 1 0 0 0 0.0', 'LINE: Missing payload'],
    ['/f 0 @100644 1 0 0 0 0.0 - - -', 'LINE: Missing payload'],
    ['/f 0 @40755 1 0 0 0 0.0 / - -', 'LINE: Invalid hardlinked directory'],
    ['/f - @100644 1 0 0 0 0.0 / - -', 'LINE: invalid digit found in string'],
    ['/f 0 @9 1 0 0 0 0.0 / - -', 'LINE: invalid digit found in string'],
    ['/f  100644 1 0 0 0 0.0 - - -', 'LINE: cannot parse integer from empty string'],
    ['/f -1 100644 1 0 0 0 0.0 - - -', 'LINE: invalid digit found in string'],
    ['/f ++1 100644 1 0 0 0 0.0 - - -', 'LINE: invalid digit found in string'],
    ['/f 18446744073709551616 100644 1 0 0 0 0.0 - - -', 'LINE: number too large to fit in target type'],
    [`/f ${'9'.repeat(100)} 100644 1 0 0 0 0.0 - - -`, 'LINE: number too large to fit in target type'],
    ['/f 0 40000000000 1 0 0 0 0.0 - - -', 'LINE: number too large to fit in target type'],
    ['/f 0 100644 4294967296 0 0 0 0.0 - - -', 'LINE: number too large to fit in target type'],
    ['/f 0 100644 1 0 0 0 0 - - -', 'LINE: Missing . in mtime'],
    ['/f 0 100644 1 0 0 0 -5.0 - - -', 'LINE: invalid digit found in string'],
    ['/f 0 100644 1 0 0 0 0. - - -', 'LINE: cannot parse integer from empty string'],
    ['/f 0 100644 1 0 0 0 0.1000000000 - - -', 'Invalid mtime nanoseconds: 1000000000 (must be < 1_000_000_000)'],
    ['/f 0 100644 1 0 0 0 0.0 - - - ', 'LINE: Missing = in xattrs'],
    ['/f 0 100644 1 0 0 0 0.0 - - - user.a', 'LINE: Missing = in xattrs'],
    ['/f 0 100644 1 0 0 0 0.0 - - - a\\x00=b', 'LINE: Invalid embedded NUL'],
    [`/f 0 100644 1 0 0 0 0.0 - - - ${'k'.repeat(256)}=`, 'LINE: xattr name too long; max=255 found=256'],
    [`/f 0 100644 1 0 0 0 0.0 - - - k=${'v'.repeat(65536)}`, 'LINE: xattr value too long; max=65535 found=65536'],
    ['/f 0 100644 1 0 0 42 0.0 - - -', 'LINE: entry cannot have device (rdev) 42'],
    ['/ 0 40755 2 0 0 42 0.0 - - -', 'LINE: entry cannot have device (rdev) 42'],
    [`/ 0 40755 2 0 0 0 0.0 - - ${DIGEST}`, 'LINE: entry cannot have fsverity digest'],
    [`/f 3 100644 1 0 0 0 0.0 - abc ${DIGEST}`, 'LINE: Inline file cannot have fsverity digest'],
    [`/f 513 100644 1 0 0 0 0.0 - ${'c'.repeat(513)} -`, 'LINE: Input 513 exceeded maximum length 512'],
    [`/f 513 100644 1 0 0 0 0.0 - ${'c'.repeat(512)}\\n -`, 'LINE: Input exceeded maximum length 512'],
    ['/f 3 100644 1 0 0 0 0.0  - -', 'LINE: Invalid empty path'],
    ['/f 3 100644 1 0 0 0 0.0 short - -', 'invalid object pathname: Invalid string length'],
    ['/f 3 100644 1 0 0 0 0.0 p - zz', 'Invalid string length'],
    [`/f 3 100644 1 0 0 0 0.0 p - ${'zz'.repeat(32)}`, "Invalid character 'z' at position 0"],
    ['/l 3 120777 1 0 0 0 0.0 - - -', 'LINE: Missing payload'],
    ['/l 3 120777 1 0 0 0 0.0  - -', 'LINE: Invalid empty path'],
    ['/l 3 120777 1 0 0 0 0.0 t abc -', 'LINE: entry cannot have content'],
    [`/l 3 120777 1 0 0 0 0.0 t - ${DIGEST}`, 'LINE: entry cannot have fsverity digest'],
    ['/l 3 120777 1 0 0 1 0.0 t - -', 'LINE: entry cannot have device (rdev) 1'],
    [`/l 3 120777 1 0 0 0 0.0 ${'t'.repeat(1025)} - -`, 'LINE: Symlink target length 1025 exceeds limit 1024'],
    ['/p 3 10777 1 0 0 0 0.0 - abc -', 'LINE: entry cannot have content'],
    [`/c 3 20777 1 0 0 0 0.0 - - ${DIGEST}`, 'LINE: entry cannot have fsverity digest'],
    ['/f 0 0 1 0 0 0 0.0 - - -', 'LINE: Unhandled file type from raw mode: 0'],
    ['/f 0 170000 1 0 0 0 0.0 - - -', 'LINE: Unhandled file type from raw mode: 61440'],
    ['/w 0 20000 2 0 0 0 0.0 - - -', 'invalid dumpfile: whiteout entry "/w" has nlink > 1'],
    ['/d/f 0 100644 1 0 0 0 0.0 - - -', 'Parent directory not found: "/d/f": Directory entry "d" does not exist'],
    ['/l 0 @120000 - - - - 0.0 /nope - -', 'Hardlink target not found: "/nope"'],
    ['/l 0 @120000 - - - - 0.0 / - -', 'Hardlink target not found: "/"'],
    ['/f\\q 0 100644 1 0 0 0 0.0 - - -', 'LINE: Invalid escape q'],
  ];
  for (const [line, message] of table) assert.equal(refusal(ROOT + line), message, line);
  assert.equal(refusal(`${ROOT}/f 9007199254740992 100644 1 0 0 0 0.0 - - -`).includes('2^53 - 1'), true);
});

test('the root comes first', () => {
  assert.equal(refusal(''), 'Dumpfile is empty, expected root directory entry');
  assert.equal(refusal('\n \n'), 'Dumpfile is empty, expected root directory entry');
  const first = '/foo 0 40755 2 0 0 0 0.0 - - -';
  assert.equal(refusal(first), 'Dumpfile must start with root directory entry, found: "/foo"');
});

test('text that is not UTF-8 is refused', () => {
  assert.equal(refusal(`${ROOT}/\xff 0 10000 1 0 0 0 0.0 - - -`), 'The dumpfile is not valid UTF-8');
});

test('a line that replaces another is refused where that leaves an inode without a name', () => {
  const line = (name: string, type = '100644'): string => `/${name} 0 ${type} 1 0 0 0 0.0 - - -\n`;
  assert.equal(refusal(ROOT + line('a') + line('a')), 'invalid composefs filesystem: Orphaned leaves at indices [0]');
  assert.equal(
    refusal(ROOT + line('d', '40755') + line('x') + line('d/a') + line('d/b') + line('d', '40755')),
    'invalid composefs filesystem: Orphaned leaves at indices [1, 2]',
  );
  const kept = `${ROOT + line('a')}/b 0 @120000 - - - - 0.0 /a - -\n${line('a', '40755')}${line('a/x')}`;
  const root = parse(kept);
  assert.deepEqual(root.names(), ['a', 'b']);
  assert(root.lookup(b('a')) instanceof Directory);
  const replaced = parse(ROOT + line('d', '40755') + line('d/e', '40755') + line('d', '40700') + line('d/f'));
  assert.deepEqual(getDirectory(replaced, b('d')).names(), ['f']);
});

test('mutated lines are parsed or refused, never anything else', () => {
  const lines = [
    ROOT.trimEnd(),
    '/d 4096 40755 2 0 0 0 1.2 - - - user.a=b trusted.c=d\\x20e',
    `/d/f 1234 100644 1 0 0 0 1.2 ab/${'ab'.repeat(31)} - ${DIGEST}`,
    '/d/i 4 100644 2 0 0 0 1.2 - hihi -',
    '/l 0 @120000 - - - - 0.0 /d/i - -',
    '/s 7 120777 1 0 0 0 0.0 /target - -',
    '/c 0 20777 1 0 0 5 0.0 - - -',
  ];
  const original = Buffer.from(lines.join('\n'));
  const edits = fc.array(fc.tuple(fc.nat(original.length - 1), fc.nat(255), fc.constantFrom('set', 'cut', 'add')), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(edits, (list) => {
      let bytes = original;
      for (const [position, byte, kind] of list) {
        const after = bytes.subarray(kind === 'add' ? position : position + 1);
        const middle = kind === 'cut' ? [] : [byte];
        bytes = Buffer.concat([bytes.subarray(0, position), Buffer.from(middle), after]);
      }
      let root: Directory;
      try {
        root = parseDumpfile(bytes, 'sha256');
      } catch (error) {
        assert(error instanceof ComposefsError, String(error));
        return;
      }
      const dump = [...writeDumpfile(root)].join('');
      // Negative seconds, which only an overflow gives, and what the writer cannot say apart.
      if (/ -[0-9]+\.[0-9]/.test(dump)) return;
      assert.equal(roundTrip(dump), dump);
    }),
    { numRuns: Number(process.env['COMPOSEFS_TEST_FUZZ'] ?? 2000) },
  );
});

test('hostile shapes take no more than linear time', () => {
  const start = cpuTime();
  const spaces = Buffer.from(`${ROOT}/f 0 100644 1 0 0 0 0.0 - - - ${' '.repeat(5_000_000)}`);
  assert.throws(() => parseDumpfile(spaces, 'sha256'));
  const backslashes = Buffer.from(`${ROOT}/f 0 100644 1 0 0 0 0.0 - ${'\\\\'.repeat(2_000_000)} -`);
  assert.throws(() => parseDumpfile(backslashes, 'sha256'));
  const digits = Buffer.from(`${ROOT}/f ${'0'.repeat(5_000_000)}1 100644 1 0 0 0 0.0 - - -`);
  assert.doesNotThrow(() => parseDumpfile(digits, 'sha256'));
  const blank = Buffer.alloc(5_000_000, ' ');
  assert.throws(() => parseDumpfile(blank, 'sha256'));
  assert(cpuTime() - start < 5000);
});
