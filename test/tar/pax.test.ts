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

  test('the last record of a key counts, and an empty value takes it back', () => {
    const records = parse(paxRecord('path', 'a'), paxRecord('path', 'b'), paxRecord('linkpath', 'l'));
    assert.deepEqual([records.path, records.linkPath], ['b', 'l']);
    for (const key of ['path', 'linkpath', 'size', 'uid', 'gid', 'mtime', 'GNU.sparse.name']) {
      const empty = parse(paxRecord(key, '7'), paxRecord(key, ''));
      const { path, linkPath, size, uid, gid, mtime, sparseName } = empty;
      assert.deepEqual([path, linkPath, size, uid, gid, mtime, sparseName], Array(7).fill(undefined), key);
      assert.equal(empty.hasEmptyLinkPath, key === 'linkpath');
    }
    assert.deepEqual([...parse(paxRecord('SCHILY.xattr.user.a', '')).xattrs], [['user.a', '']]);
  });

  test('paths end at no NUL: they are refused', () => {
    for (const key of ['path', 'linkpath', 'GNU.sparse.name']) {
      assert.throws(() => parse(paxRecord(key, 'a\0b')), { message: `PAX ${key} with a NUL: "a\\u0000b"` });
    }
  });

  test('values may contain the separators, keys end at the first equals sign', () => {
    assert.equal(parse(paxRecord('path', 'a=b c\nd')).path, 'a=b c\nd');
  });

  test('numbers are unsigned 64-bit', () => {
    const records = parse(paxRecord('size', '+12'), paxRecord('uid', '18446744073709551615'), paxRecord('gid', '0'));
    assert.deepEqual([records.size, records.uid, records.gid], [12, 2n ** 64n - 1n, 0]);
  });

  test('NULs may follow, anything else may not; for the reference it ends the records', () => {
    for (const nuls of ['', '\0', '\0'.repeat(1000)]) assert.equal(parse('8 uid=7\n', nuls).uid, 7);
    for (const junk of [
      '\0x',
      ' ',
      ' 8 uid=5\n',
      'zz uid=5\n',
      'zzuid=5\n',
      '\n8 uid=5\n',
      ' uid=5\n',
      '-8 uid=5\n',
      '8',
    ]) {
      const data = Buffer.from(`8 uid=7\n${junk}`);
      assert.throws(() => parsePaxRecords(data), { message: 'PAX error: malformed PAX extension record' });
      assert.equal(parsePaxRecords(data, 'reference').uid, 7, JSON.stringify(junk));
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

  test('keys are bytes', () => {
    const records = parse(paxRecord(Buffer.from([0xff]), 'x'), paxRecord('ü', 'x'), paxRecord('', 'x'));
    assert.deepEqual([records.path, records.xattrs.size], [undefined, 0]);
    const name = Buffer.concat([Buffer.from('SCHILY.xattr.user.'), Buffer.from([0xe9])]);
    assert.deepEqual([...parse(paxRecord(name, 'v')).xattrs], [['user.\xe9', 'v']]);
  });

  test('malformed numbers name their key', () => {
    for (const key of ['size', 'uid', 'gid', 'mtime', 'GNU.sparse.size', 'GNU.sparse.offset']) {
      for (const value of ['-', '-x', '1x', ' 1', '18446744073709551616']) {
        assert.throws(() => parse(paxRecord(key, value)), {
          message: `invalid PAX ${key} value: ${JSON.stringify(value)}`,
        });
      }
      assert.throws(() => parse(paxRecord(key, Buffer.from([0x31, 0xff]))), {
        message: `invalid PAX ${key} value: "<non-UTF-8>"`,
      });
    }
  });

  test('a malformed number that a later record replaces does not count', () => {
    assert.equal(parse(paxRecord('uid', 'x'), paxRecord('uid', '1')).uid, 1);
  });

  test('mtime: the last record counts; of the reference, the fraction of the first', () => {
    const data = Buffer.concat([paxRecord('mtime', '1.25'), paxRecord('mtime', '7.5')]);
    const records = parse(data);
    assert.deepEqual([records.mtime, records.mtimeNsec], [7, 500000000]);
    assert.deepEqual(records.differences, ['pax-time']);
    const reference = parsePaxRecords(data, 'reference');
    assert.deepEqual([reference.mtime, reference.mtimeNsec], [7, 250000000]);
    assert.deepEqual(parse(paxRecord('mtime', '1.5'), paxRecord('mtime', '7.5')).differences, []);
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
  const sparse = (...records: [string, string][]): unknown =>
    parse(...records.map(([key, value]) => paxRecord(key, value))).sparse;
  const regions = [
    { offset: 0, length: 5 },
    { offset: 4096, length: 1 },
  ];

  test('format 0.0: pairs of records', () => {
    const found = sparse(
      ['GNU.sparse.size', '9000'],
      ['GNU.sparse.numblocks', '2'],
      ['GNU.sparse.offset', '0'],
      ['GNU.sparse.numbytes', '5'],
      ['GNU.sparse.offset', '4096'],
      ['GNU.sparse.numbytes', '1'],
    );
    assert.deepEqual(found, { size: 9000, regions });
  });

  test('format 0.1: a map', () => {
    const map = ['GNU.sparse.map', '0,5,4096,1'] as [string, string];
    assert.deepEqual(sparse(map, ['GNU.sparse.numblocks', '2']), { size: undefined, regions });
    assert.deepEqual(sparse(['GNU.sparse.numblocks', '0'], ['GNU.sparse.major', '0'], ['GNU.sparse.minor', '1']), {
      size: undefined,
      regions: [],
    });
    for (const [text, count, reason] of [
      ['0,5', '2', '2 numbers, not twice 2'],
      ['0,5,4096', '1', '3 numbers, not twice 1'],
      ['0,-5', '1', '"-5" is no number'],
      ['0,', '1', '"" is no number'],
      ['0,18446744073709551615', '1', '"18446744073709551615" is no number'],
      ['0,5', 'x', '"x" is no number'],
      ['0,5', '', '"" is no number'],
    ] as const) {
      const records: [string, string][] = [
        ['GNU.sparse.map', text],
        ['GNU.sparse.numblocks', count],
      ];
      assert.throws(() => sparse(...records), { message: `invalid map of a sparse file: ${reason}` });
    }
  });

  test('format 1.0: the map is elsewhere', () => {
    const version: [string, string][] = [
      ['GNU.sparse.major', '1'],
      ['GNU.sparse.minor', '0'],
    ];
    assert.deepEqual(sparse(...version, ['GNU.sparse.realsize', '77']), { size: 77, regions: undefined });
    assert.deepEqual(sparse(...version), { size: undefined, regions: undefined });
  });

  test('other formats are refused', () => {
    const version: [string, string][] = [
      ['GNU.sparse.major', '1'],
      ['GNU.sparse.minor', '1'],
    ];
    assert.throws(() => sparse(...version), { message: 'unknown format 1.1 of a sparse file' });
  });

  test('pairs are in order', () => {
    const [offset, length] = ['GNU.sparse.offset', 'GNU.sparse.numbytes'];
    for (const keys of [[length], [offset, offset], [offset, length, length]]) {
      assert.throws(() => sparse(...keys.map((key): [string, string] => [key, '0'])), {
        message: `PAX record ${keys.at(-1)} out of order`,
      });
    }
    assert.throws(() => sparse([offset, '0']), { message: /^invalid map of a sparse file: / });
  });

  test('remains of a version, a name and a size make none', () => {
    assert.equal(sparse(['GNU.sparse.major', '0']), undefined);
    assert.equal(sparse(['GNU.sparse.major', '0'], ['GNU.sparse.minor', '1']), undefined);
    assert.equal(sparse(['GNU.sparse.name', 'n'], ['GNU.sparse.size', '5'], ['GNU.sparse.map', '']), undefined);
  });
});
