import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ByteString, byteStringFromText } from '../../../src/bytes/byte-string.js';
import { parseCDumpfile } from '../../../src/composefs/mkcomposefs/c-parser.js';
import { Directory, Leaf } from '../../../src/composefs/tree/inode.js';
import { getFile, getLeaf } from '../../../src/composefs/tree/lookup.js';
import { OriginLeaf } from '../../../src/composefs/tree/origin-leaf.js';
import { ComposefsError } from '../../../src/errors.js';
import { sharedPath } from '../../support/paths.js';

const b = byteStringFromText;
const ROOT = '/ 4096 40755 2 0 0 0 0.0 - - -\n';
const DIGEST = 'aa'.repeat(32);

function parse(text: string, strict = false): Directory {
  return parseCDumpfile(Buffer.from(text, 'latin1'), { strict });
}

function refusal(text: string, strict = false): string {
  try {
    parse(text, strict);
  } catch (error) {
    assert(error instanceof ComposefsError, String(error));
    return error.message;
  }
  return 'accepted';
}

test('the bad dumpfiles of the C test suite are refused in the same words', {
  skip: sharedPath('vectors', 'dumpfiles', 'bad') === undefined ? 'needs the shared vectors' : false,
}, () => {
  const table: Record<string, string> = {
    'big-inline': 'Inline content size 5004 exceeds maximum 5000',
    'dir-hardlink': "Directories can't be hardlinked",
    'dot-name': 'Invalid . or .. in path: /.',
    'dotdot-name': 'Invalid . or .. in path: /..',
    'empty-link-name': 'Invalid symlink',
    'empty-name': "Can't add child",
    'empty-xattr-key': "Can't set xattr",
    'honggfuzz-long-xattr': "Can't set xattr",
    'long-link': 'Invalid symlink',
    'long-xattr-key': 'Too many xattrs',
    'long-xattr-value': 'Invalid mode 644',
    'no-ftype': 'Invalid mode 0',
    'self-hardlink': 'Self-referential hardlink /037blockdev',
    'too-big': 'cannot write file: File too large',
  };
  for (const [name, message] of Object.entries(table)) {
    const bytes = readFileSync(sharedPath('vectors', 'dumpfiles', 'bad', `${name}.dump`) ?? '');
    assert.equal(refusal(bytes.toString('latin1')), message, name);
  }
});

test('lines that mkcomposefs 1.0.8 refuses are refused in the same words', () => {
  const table: [string, string][] = [
    ['\n', 'Invalid empty path'],
    ['/f', 'Invalid integer '],
    ['/f 0 100644', 'Invalid integer '],
    ['/f 0 100644 1 0 0 0', 'Invalid integer '],
    ['/f  100777 1 0 0 5 0.0 - - -', 'Invalid integer '],
    ['/f 0 100644 1 x 0 0 0.0 - - -', 'Invalid integer x'],
    ['/f 0 100644 1 0 x 0 0.0 - - -', 'Invalid integer x'],
    ['/f 0 100644 1 0 0 0 12 - - -', 'Invalid integer '],
    ['/f 0 100644 1 0 0 0 x.7 - - -', 'Invalid integer x'],
    ['/f 0 100644 1 0 0 0 7.x - - -', 'Invalid integer x'],
    ['/f 3 9 1 0 0 5 0.0 foo - -', 'Invalid integer 9'],
    ['/f 0 x@100600 x x x x x /h - -', 'Invalid integer x@100600'],
    ['/f 3 110644 1 0 0 5 0.0 foo - -', 'Invalid mode 110644'],
    ['/f 0 @0 1 0 0 0 0.0 /h - -', 'Invalid mode 0'],
    ['/f 3 100644 1 x 0 5 0.0 - abcd -', 'Invalid integer x'],
    ['/f 4 100600 1 0 0 0 0.0 foo/bar abc -', 'Invalid content size 3, must match size 4'],
    ['/f 3 100644 1 0 0 5 0.0 -  -', 'Invalid content size 0, must match size 3'],
    ['/f 5001 20644 1 0 0 5 0.0 - '.concat('c'.repeat(5001), ' -'), 'Inline content size 5001 exceeds maximum 5000'],
    ['/f 300 100644 1 0 0 0 0.0 '.concat('p'.repeat(4096), ' - -'), 'Invalid payload'],
    ['/f 3 120777 1 0 0 0 0.0 - - -', 'Invalid symlink'],
    ['/f 3 120777 1 0 0 0 0.0  - -', 'Invalid symlink'],
    ['/f 3 120777 1 0 0 0 0.0 '.concat('c'.repeat(4096), ' - -'), 'Invalid symlink'],
    ['/f 3 40777 1 0 0 5 0.0 - - -  ', 'Missing = in xattr'],
    ['/f 3 40777 1 0 0 5 0.0 - - - foo', 'Missing = in xattr'],
    ['/d/x 3 40777 1 0 0 5 0.0 - - -', 'Parent directory missing for /d/x'],
    ['/./x 3 40777 1 0 0 5 0.0 - - -', 'Parent directory missing for /./x'],
    ['/f/ 3 40777 1 0 0 5 0.0 - - -', 'Parent directory missing for /f/'],
    ['/d 0 40777 1 0 0 5 0.0 - - -\n/d/ 0 40777 1 0 0 5 0.0 - - -', "Can't add child"],
    ['/d 0 100777 1 0 0 5 0.0 - - -\n/d/x 0 40777 1 0 0 5 0.0 - - -', 'Parent must be a directory for /d/x'],
    ['/d 0 100777 1 0 0 5 0.0 - - -\n/d/x/y 0 40777 1 0 0 5 0.0 - - -', 'Parent directory missing for /d/x/y'],
    ['/d 3 @100777 1 0 0 5 0.0 /h - -\n/d/x 3 40777 1 0 0 5 0.0 - - -', 'Parent must be a directory for /d/x'],
    ['/f 0 100644 1 0 0 0 0.0 - - -\n/f 0 100644 1 0 0 0 0.0 - - -', "Can't add child"],
    [`/${'x'.repeat(256)} 3 40777 1 0 0 5 0.0 - - -`, "Can't add child"],
    ['// 3 40777 1 0 0 5 0.0 - - -', "Can't add child"],
    [ROOT, "Can't have multiple roots"],
    ['/f 0 @100644 1 0 0 0 0.0 /nope - -', 'No target at /nope for hardlink'],
    ['/f 0 @100644 1 0 0 0 0.0 - - -', 'No target path for the hardlink'],
    ['/f 0 @100644 1 0 0 0 0.0 /f - -', 'Self-referential hardlink /f'],
    ['/f 3 @100644 1 0 0 5 0.0 /\\q - -', 'Unsupported escape type q'],
    [
      '/f 0 @100644 1 0 0 0 0.0 /g - -\n/g 0 @100644 1 0 0 0 0.0 /f - -',
      'cannot write file: Too many levels of symbolic links',
    ],
    ['/f 0 @40644 1 0 0 0 0.0 / - -', "Directories can't be hardlinked"],
    ['/f\\ 3 100644 1 0 0 5 0.0 foo - -', 'No character after escape'],
    ['/f\\x4 3 100644 1 0 0 5 0.0 foo - -', 'No hex characters after hex escape'],
    ['/f\\x4z 3 100644 1 0 0 5 0.0 foo - -', 'Invalid hex characters after hex escape'],
    ['/f\\q 3 100644 1 0 0 5 0.0 foo - -', 'Unsupported escape type q'],
    ['/f\0a 3 100644 1 0 0 5 0.0 foo - -', 'Invalid embedded NUL character at position 2'],
  ];
  for (const [lines, message] of table) assert.equal(refusal(ROOT + lines), message, lines);
});

test('the root comes first, once, and is a directory', () => {
  assert.equal(refusal(''), 'No files in dump file');
  assert.equal(refusal('/d 3 40777 1 0 0 5 0.0 - - -'), 'Root node not present');
  assert.equal(refusal('// 4096 40755 2 0 0 0 0.0 - - -'), 'Root node not present');
  assert.equal(refusal('/ 4096 100755 2 0 0 0 0.0 - - -'), 'Root must be a directory');
  assert.equal(refusal('/ 4096 @100755 2 0 0 0 0.0 / - -'), 'Root must be a directory');
});

test('what no tree can hold is refused although C takes it', () => {
  assert.equal(refusal(`${ROOT}/f 0 @100644 1 0 0 0 0.0 / - -`), "Directories can't be hardlinked");
  for (const digest of ['', 'aaaa', `${DIGEST}aa`, 'zz'.repeat(32)]) {
    assert.equal(refusal(`${ROOT}/f 9 100600 1 0 0 0 0.0 foo - ${digest}`), `Invalid digest ${digest}`);
    // It does not count where it is not used.
    assert.equal(refusal(`${ROOT}/f 3 100600 1 0 0 0 0.0 foo abc ${digest}`), 'accepted');
    assert.equal(refusal(`${ROOT}/f 0 100600 1 0 0 0 0.0 foo - ${digest}`), 'accepted');
  }
  assert.equal(refusal(`${ROOT}/f -1 100644 1 0 0 0 0.0 ppp - -`), 'cannot write file: File too large');
});

test('strict parsing refuses more', () => {
  const table: [string, string][] = [
    ['/f 0 40777 1 0 0 5 0.0 - - -\n', 'Non-zero devnum on non-device'],
    ['/f 0 120777 1 0 0 5 0.0 t - -\n', 'Non-zero devnum on non-device'],
    ['/f 5 120777 1 0 0 0 0.0 abc - -\n', 'Invalid symlink size 3, must match size 5'],
    ['/f 3 120777 1 0 0 0 0.0 ab\\x00cd - -\n', 'Invalid symlink size 2, must match size 3'],
    ['/f 3 120777 1 0 0 0 0.0 tgt abc -\n', 'Symlink cannot have content'],
    ['/f 3 120777 1 0 0 0 0.0 tgt - -', 'Missing trailing newline'],
  ];
  for (const [line, message] of table) {
    assert.equal(refusal(ROOT + line, true), message, line);
    assert.equal(refusal(ROOT + line), 'accepted', line);
  }
  assert.equal(refusal(`${ROOT}/c 0 20777 1 0 0 5 0.0 - - -\n`, true), 'accepted');
  assert.equal(refusal('', true), 'No files in dump file');
});

test('the content of regular files', () => {
  const file = (fields: string): unknown => getFile(parse(`${ROOT}/f ${fields}\n`), b('f'));
  const size = 100;
  const usual = `aa/${'aa'.repeat(31)}`;
  assert.deepEqual(file(`100 100600 1 0 0 0 0.0 ${usual} - ${DIGEST}`), { storage: 'external', id: DIGEST, size });
  assert.deepEqual(file(`100 100600 1 0 0 0 0.0 /abs//x - ${DIGEST.toUpperCase()}`), {
    storage: 'external',
    id: DIGEST,
    size,
    payload: '/abs//x',
  });
  for (const absent of ['-', '']) {
    assert.deepEqual(file(`100 100600 1 0 0 0 0.0 ${absent} - ${DIGEST}`), {
      storage: 'external',
      id: DIGEST,
      size,
      payload: '',
    });
    assert.deepEqual(file(`100 100600 1 0 0 0 0.0 ${absent} - -`), { storage: 'sparse', size });
  }
  const payload = 'foo/bar';
  assert.deepEqual(file('100 100600 1 0 0 0 0.0 foo/bar - -'), { storage: 'external-no-verity', payload, size });
  assert.deepEqual(file('100 100600 1 0 0 0 0.0 foo/bar\\x00x - -'), { storage: 'external-no-verity', payload, size });
  const data = Buffer.from('a\0c');
  assert.deepEqual(file(`3 100600 1 0 0 0 0.0 foo/bar a\\x00c ${DIGEST}`), { storage: 'inline', data });
  const empty = { storage: 'inline', data: Buffer.alloc(0) };
  for (const fields of [`foo - ${DIGEST}`, '- - -', '-  -', '']) {
    assert.deepEqual(file(`0 100600 1 0 0 0 0.0 ${fields}`), empty, fields);
  }
  assert.deepEqual(file(`5000 100600 1 0 0 0 0.0 - ${'c'.repeat(5000)} -`), {
    storage: 'inline',
    data: Buffer.alloc(5000, 'c'),
  });
});

test('numbers are read as C does', () => {
  const stat = (fields: string): unknown[] => {
    const root = parseCDumpfile(Buffer.from(`${ROOT}/f ${fields}`));
    const { mode, uid, gid, mtimeSec, mtimeNsec } = getLeaf(root, b('f')).stat;
    return [mode, uid, gid, mtimeSec, mtimeNsec];
  };
  assert.deepEqual(stat('0 100644 1 -1 4294967297 0 -5.7 - - -'), [0o644, 4294967295, 1, -5, 7]);
  assert.deepEqual(stat('\t+0 20700100644 1 \v0 0 0 7.5000000000 - - -'), [0o644, 0, 0, 7, 705032704]);
  assert.deepEqual(
    stat(`0 ${'7'.repeat(40)}`.replace(/ 7+$/, ' 1777777777777777100644 1 0 0 0 0.0 - - -')),
    [0o644, 0, 0, 0, 0],
  );
  // mkcomposefs looks at the wrong variable there.
  assert.deepEqual(stat('0 100644 1 1 x y 0.0 - - -'), [0o644, 1, 0, 0, 0]);
  assert.equal(refusal(`${ROOT}/f 0 100644 1 0 0 0 ${'9'.repeat(30)}.0 - - -`), 'accepted');
  const device = getLeaf(parse(`${ROOT}/c 7 20777 1 0 0 8589934597 0.0 - - -`), b('c'));
  assert.deepEqual(device.content, { type: 'character-device', rdev: 5 });
  const symlink = getLeaf(parse(`${ROOT}/l ${'9'.repeat(30)} 120777 1 0 0 0 0.0 t - -`), b('l'));
  assert.deepEqual(symlink.content, { type: 'symlink', target: 't' });
});

test('paths: leading slashes are optional, repeated ones collapse, a NUL ends them', () => {
  const root = parse(
    `${ROOT}d 0 40777 1 0 0 0 0.0 - - -\n//d///x\\x00y 0 10777 1 0 0 0 0.0 - - -\n- 0 10777 1 0 0 0 0.0 - - -`,
  );
  const directory = root.lookup(b('d'));
  assert(directory instanceof Directory);
  assert.deepEqual([root.names(), directory.names()], [['-', 'd'], ['x']]);
});

test('hard links may come before their target, and before links to it', () => {
  const dump = [
    '/f 0 @100644 1 0 0 0 0.0 g/// - -',
    '/g x @20600 x x x x x //h - - - - garbage',
    '/h 0 100600 77 0 0 0 0.0 - - -',
    '/i 0 @100644 1 0 0 0 0.0 f',
  ].join('\n');
  const root = parseCDumpfile(Buffer.from(ROOT + dump));
  const leaf = getLeaf(root, b('h'));
  for (const name of ['f', 'g', 'i']) assert.equal(getLeaf(root, b(name)), leaf);
  assert.equal(leaf.stat.mode, 0o600);
  assert(leaf instanceof OriginLeaf);
  const { directory, name, nlink } = leaf;
  assert.deepEqual({ name, nlink }, { name: 'h', nlink: 77 });
  assert.equal(directory, root);
});

test('long chains of hard links are followed once', () => {
  const count = 50_000;
  let dump = ROOT;
  for (let i = 0; i < count; i++) dump += `/${i} 0 @100644 1 0 0 0 0.0 /${i + 1} - -\n`;
  const root = parse(`${dump}/${count} 0 100644 1 0 0 0 0.0 - - -\n`);
  assert.equal(root.lookup(b('0')), root.lookup(b(`${count}`)));
});

test('xattrs: a repeated name replaces and moves to the end, one trailing space is fine', () => {
  const xattrs = (text: string): unknown[] => {
    const root = parse(`${ROOT}/f 0 100777 1 0 0 0 0.0 - - - ${text}\n`);
    return [...getLeaf(root, b('f')).stat.xattrs];
  };
  assert.deepEqual(xattrs('user.a=1 user.b=2 user.a=3 '), [
    ['user.b', '2'],
    ['user.a', '3'],
  ]);
  assert.deepEqual(xattrs(''), []);
  assert.deepEqual(xattrs('user.a=b=c user.fo\\x00o=b\\x00ar'), [
    ['user.a', 'b=c'],
    ['user.fo', 'b\0ar'],
  ]);
  const big = `user.a=${'x'.repeat(3000)}`;
  assert.equal(xattrs(Array.from({ length: 14 }, () => big).join(' ')).length, 1);
  // 12 bytes, and 7 for each xattr.
  const value = (length: number): string => `user.a=${'x'.repeat(length)}`;
  assert.equal(xattrs(value(32767 - 12 - 7 - 6)).length, 1);
  assert.equal(refusal(`${ROOT}/f 0 100777 1 0 0 0 0.0 - - - ${value(32767 - 12 - 7 - 5)}`), "Can't set xattr");
  assert.equal(refusal(`${ROOT}/f 0 100777 1 0 0 0 0.0 - - - ${value(70_000)}`), 'Too many xattrs');
  assert.equal(refusal(`${ROOT}/f 0 100777 1 0 0 0 0.0 - - - ${'k'.repeat(256)}=`), "Can't set xattr");
});

test('bytes that are not UTF-8, and CR, are taken as they are', () => {
  const root = parse(`${ROOT}/\xff\r 0 120777 1 0 0 0 0.0 \xfe\r - - k=\xfd\r`);
  const leaf = root.lookup('\xff\r' as ByteString);
  assert(leaf instanceof Leaf);
  assert.deepEqual(leaf.content, { type: 'symlink', target: '\xfe\r' });
  assert.deepEqual([...leaf.stat.xattrs], [['k', '\xfd\r']]);
});

test('mutated lines are parsed or refused, never anything else', () => {
  const original = Buffer.from(
    [
      ROOT.trimEnd(),
      '/d 4096 40755 2 0 0 0 1.2 - - - user.a=b trusted.c=d\\x20e',
      `/d/f 1234 100644 1 0 0 0 1.2 ab/${'ab'.repeat(31)} - ${DIGEST}`,
      '/l 0 @100644 - - - - 0.0 /d/i - -',
      '/d/i 4 100644 2 0 0 0 1.2 - hihi -',
      '/s 7 120777 1 0 0 0 0.0 /target - -',
    ].join('\n'),
  );
  fc.assert(
    fc.property(fc.nat(original.length - 1), fc.nat(3), fc.uint8Array({ maxLength: 3 }), (position, cut, added) => {
      const bytes = Buffer.concat([original.subarray(0, position), added, original.subarray(position + cut)]);
      try {
        parseCDumpfile(bytes);
      } catch (error) {
        assert(error instanceof ComposefsError, String(error));
      }
    }),
    { numRuns: Number(process.env['COMPOSEFS_TEST_FUZZ'] ?? 2000) },
  );
});
