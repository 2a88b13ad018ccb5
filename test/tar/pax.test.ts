import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ByteString, byteStringFrom } from '../../src/bytes/byte-string.js';
import { parseNanoseconds, parsePaxRecords } from '../../src/tar/pax.js';
import { paxRecord } from '../support/tar-builder.js';

function parse(...parts: (string | Buffer)[]): ReturnType<typeof parsePaxRecords> {
  return parsePaxRecords(Buffer.concat(parts.map((part) => Buffer.from(part))));
}

describe('PAX records', () => {
  test('a path', () => assert.equal(parse('20 path=foo/bar.txt\n').path, 'foo/bar.txt'));

  test('an xattr with any bytes', () => {
    const records = parse('24 SCHILY.xattr.foo=', Buffer.from([0, 1, 2]), '\n');
    assert.deepEqual([...records.xattrs], [['foo', '\x00\x01\x02']]);
    const value = Buffer.from('a=b\nc\0\xff', 'latin1');
    assert.equal(
      parse(paxRecord('SCHILY.xattr.user.x', value)).xattrs.get('user.x' as ByteString),
      byteStringFrom(value),
    );
  });

  test('an xattr name may be empty; of two values the later counts', () => {
    const records = parse(
      paxRecord('SCHILY.xattr.', 'v'),
      paxRecord('SCHILY.xattr.user.a', '1'),
      paxRecord('SCHILY.xattr.user.a', '2'),
    );
    assert.deepEqual(
      [...records.xattrs],
      [
        ['', 'v'],
        ['user.a', '2'],
      ],
    );
  });

  test('the last record of a key counts, an empty value is a value', () => {
    const records = parse(paxRecord('path', 'a'), paxRecord('path', ''), paxRecord('linkpath', 'l'));
    assert.equal(records.path, '');
    assert.equal(records.linkPath, 'l');
  });

  test('values may contain the separators, keys end at the first equals sign', () => {
    assert.equal(parse(paxRecord('path', 'a=b c\nd')).path, 'a=b c\nd');
  });

  test('numbers are unsigned 64-bit', () => {
    const records = parse(paxRecord('size', '+12'), paxRecord('uid', '18446744073709551615'), paxRecord('gid', '0'));
    assert.deepEqual([records.size, records.uid, records.gid], [12, 2n ** 64n - 1n, 0]);
  });

  test('whatever does not begin with a length ends the records', () => {
    for (const junk of ['', '\0\0\0', 'zz uid=5\n', 'zzuid=5\n', '\n8 uid=5\n', ' uid=5\n', '-8 uid=5\n', '8']) {
      assert.equal(parse('8 uid=7\n', junk).uid, 7, JSON.stringify(junk));
    }
  });

  test('a length may have a plus sign and leading zeros', () => {
    assert.equal(parse('+9 uid=5\n').uid, 5);
    assert.equal(parse('09 uid=5\n').uid, 5);
  });

  const malformed = ['15 pathfoobar\n', '100 path=foo\n', '9 uid=5\n', '7 uid=5\n', '2 uid=5\n', '0 uid=5\n', '3 \n'];
  for (const record of [...malformed, '8 uid5x\n8 uid=5\n', '18446744073709551615 uid=5\n', '8 uid=5x']) {
    test(`${JSON.stringify(record)} is malformed`, () => {
      assert.throws(() => parse(record), { message: 'PAX error: malformed PAX extension record' });
    });
  }

  test('keys must be UTF-8, also those without a meaning', () => {
    assert.throws(() => parse(paxRecord(Buffer.from([0xff]), 'x')), /^Error: invalid UTF-8 in PAX key: /);
    assert.doesNotThrow(() => parse(paxRecord('ü', 'x'), paxRecord('', 'x')));
  });

  test('malformed numbers name their key', () => {
    for (const key of ['size', 'uid', 'gid', 'mtime', 'GNU.sparse.major', 'GNU.sparse.offset']) {
      for (const value of ['', '-', '-x', '1x', ' 1', '18446744073709551616']) {
        assert.throws(() => parse(paxRecord(key, value)), {
          message: `invalid PAX ${key} value: ${JSON.stringify(value)}`,
        });
      }
      assert.throws(() => parse(paxRecord(key, Buffer.from([0x31, 0xff]))), {
        message: `invalid PAX ${key} value: "<non-UTF-8>"`,
      });
    }
  });

  test('a malformed number counts even if a later record replaces it', () => {
    assert.throws(() => parse(paxRecord('uid', 'x'), paxRecord('uid', '1')), /invalid PAX uid value/);
  });

  test('mtime: seconds of the last record, nanoseconds of the first', () => {
    const records = parse(paxRecord('mtime', '1.25'), paxRecord('mtime', '7.5'));
    assert.deepEqual([records.mtime, records.mtimeNsec], [7, 250000000]);
    assert.deepEqual([parse(paxRecord('mtime', '12')).mtime, parse(paxRecord('mtime', '12')).mtimeNsec], [12, 0]);
    assert.throws(() => parse(paxRecord('mtime', '.5')), { message: 'invalid PAX mtime value: ".5"' });
  });

  test('mtime before 1970', () => {
    for (const [value, seconds, nanoseconds] of [
      ['-2', -2, 0],
      ['-1.5', -2, 500000000],
      ['-0.000000001', -1, 999999999],
      ['-0', 0, 0],
      ['-1.', -1, 0],
      ['-9007199254740991', -Number.MAX_SAFE_INTEGER, 0],
    ] as const) {
      const records = parse(paxRecord('mtime', value));
      assert.deepEqual([records.mtime, records.mtimeNsec], [seconds, nanoseconds], value);
    }
    for (const value of ['-9007199254740992', '--1', '-+1', '+-1', '-.5']) {
      assert.throws(() => parse(paxRecord('mtime', value)), {
        message: `invalid PAX mtime value: ${JSON.stringify(value)}`,
      });
    }
  });

  test('numbers other than times are not negative', () => {
    for (const key of ['size', 'uid', 'gid']) {
      assert.throws(() => parse(paxRecord(key, '-1')), { message: `invalid PAX ${key} value: "-1"` });
    }
  });

  test('unknown keys are ignored', () => {
    const records = parse(
      paxRecord('atime', 'x'),
      paxRecord('LIBARCHIVE.xattr.user.a', 'QQ'),
      paxRecord('comment', ''),
    );
    assert.equal(records.xattrs.size, 0);
    assert.equal(records.mtime, undefined);
  });
});

test('nanoseconds of a PAX time', () => {
  const values: [string, number][] = [
    ['1234567890.123456789', 123456789],
    ['.5', 500000000],
    ['.000000001', 1],
    ['.1234567899', 123456789],
    ['1234567890', 0],
    ['1.', 0],
    ['1.x', 0],
    ['1.2.3', 0],
    ['1.12345678\xc3\xa9', 0],
    ['1.999999999', 999999999],
  ];
  for (const [value, expected] of values) assert.equal(parseNanoseconds(value as ByteString), expected, value);
});

describe('sparse files in PAX records', () => {
  const sparse: [string, string][][] = [
    [['GNU.sparse.map', '']],
    [
      ['GNU.sparse.major', '1'],
      ['GNU.sparse.minor', '0'],
    ],
    [
      ['GNU.sparse.offset', '0'],
      ['GNU.sparse.numbytes', '1'],
    ],
  ];
  const plain: [string, string][][] = [
    [['GNU.sparse.major', '1']],
    [
      ['GNU.sparse.major', '0'],
      ['GNU.sparse.minor', '1'],
    ],
    [['GNU.sparse.offset', '0']],
    [
      ['GNU.sparse.numbytes', '1'],
      ['GNU.sparse.offset', '0'],
    ],
    [['GNU.sparse.name', 'n']],
  ];
  for (const records of sparse) {
    test(`${records.map((record) => record.join('=')).join(' ')} is one`, () => {
      assert.equal(parse(...records.map(([key, value]) => paxRecord(key, value))).isSparse, true);
    });
  }
  for (const records of plain) {
    test(`${records.map((record) => record.join('=')).join(' ')} is none`, () => {
      assert.equal(parse(...records.map(([key, value]) => paxRecord(key, value))).isSparse, false);
    });
  }
});
