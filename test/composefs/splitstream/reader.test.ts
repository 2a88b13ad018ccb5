import assert from 'node:assert/strict';
import { openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { catSplitStream } from '../../../src/composefs/splitstream/cat.js';
import { SplitStreamReader } from '../../../src/composefs/splitstream/reader.js';
import { bufferSource, fdSource } from '../../../src/composefs/splitstream/source.js';
import { SplitStreamWriter } from '../../../src/composefs/splitstream/writer.js';
import { errorCode, fullMessage } from '../../../src/errors.js';
import { rawFrame, repeatFrame, skippableFrame } from '../../compression/zstd/fixtures.js';
import { withTempDir } from '../../support/paths.js';
import { describe, externalChunk, finished, idOf, inlineChunk, open, rawFile } from './fixtures.js';

const ids = (...numbers: number[]): Buffer => Buffer.from(numbers.map(idOf).join(''), 'hex');
const body = (...chunks: Buffer[]): Buffer => rawFile({ body: Buffer.concat(chunks), objectRefs: ids(0xaa, 0xbb) });

function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    assert.notEqual(errorCode(error), 'INTERNAL', fullMessage(error));
    return fullMessage(error);
  }
  return 'no error';
}

function changed(file: Buffer, change: (file: Buffer) => void): Buffer {
  const copy = Buffer.from(file);
  change(copy);
  return copy;
}

const GOOD = rawFile({
  streamRefs: ids(1, 2),
  objectRefs: ids(0xaa, 0xbb),
  namedRefs: '1:one\x000:two\x00',
  body: Buffer.concat([inlineChunk('head'), externalChunk(1), inlineChunk('tail')]),
});

test('a file is read', () => {
  const reader = open(GOOD);
  assert.deepEqual(describe(reader), ['inline head', 'external bb', 'inline tail']);
  assert.equal(reader.nextChunk(), undefined);
  assert.deepEqual(Object.fromEntries(reader.namedRefs()), { one: idOf(2), two: idOf(1) });
});

const PREFIX = 'Creating new splitstream reader: ';

test('what is wrong with the header is said (spec 30 §4.1)', () => {
  const cases: [Buffer, string][] = [
    [
      Buffer.alloc(0),
      'Error reading splitstream header: Reading range from splitstream file: Incomplete read from splitstream file',
    ],
    [
      GOOD.subarray(0, 31),
      'Error reading splitstream header: Reading range from splitstream file: Incomplete read from splitstream file',
    ],
    [changed(GOOD, (f) => f.writeUInt8(0x54, 0)), 'Invalid splitstream header magic value'],
    [changed(GOOD, (f) => f.writeUInt8(3, 11)), 'Invalid splitstream version 3'],
    [changed(GOOD, (f) => f.writeUInt8(2, 14)), 'Invalid splitstream fs-verity algorithm type'],
    [changed(GOOD, (f) => f.writeUInt8(16, 15)), 'Invalid splitstream fs-verity block size'],
    [changed(GOOD, (f) => f.writeBigUInt64LE(111n, 24)), 'Error reading splitstream metadata: 79 bytes are too few'],
    [
      changed(GOOD, (f) => f.writeBigUInt64LE(31n, 24)),
      'Reading range from splitstream file: Negative-sized range in splitstream',
    ],
    [
      changed(GOOD, (f) => f.writeBigUInt64LE(2n ** 64n - 1n, 24)),
      'Reading range from splitstream file: Incomplete read from splitstream file',
    ],
    [GOOD.subarray(0, 100), 'Reading range from splitstream file: Incomplete read from splitstream file'],
  ];
  for (const [file, message] of cases)
    assert.equal(
      messageOf(() => open(file)),
      PREFIX + message,
    );
  assert.equal(
    messageOf(() => open(GOOD, 5n)),
    `${PREFIX}Invalid splitstream content type`,
  );
  assert.equal(
    messageOf(() => open(changed(GOOD, (f) => f.writeUInt16LE(0xffff, 12)))),
    'no error',
  );
});

test('what is wrong with a range is said', () => {
  const incomplete = 'Reading range from splitstream file: Incomplete read from splitstream file';
  const negative = 'Reading range from splitstream file: Negative-sized range in splitstream';
  const fields: [number, string][] = [
    [32, 'Error reading splitstream references: '],
    [48, 'Error reading object references: '],
    [64, ''],
    [80, 'Error reading splitstream mappings: '],
  ];
  for (const [field, context] of fields) {
    const beyond = changed(GOOD, (f) => f.writeBigUInt64LE(BigInt(GOOD.length + 1), field + 8));
    const huge = changed(GOOD, (f) => f.writeBigUInt64LE(2n ** 63n, field + 8));
    const backwards = changed(GOOD, (f) => f.writeBigUInt64LE(2n ** 63n, field));
    assert.equal(
      messageOf(() => open(beyond)),
      PREFIX + context + incomplete,
    );
    assert.equal(
      messageOf(() => open(huge)),
      PREFIX + context + incomplete,
    );
    assert.equal(
      messageOf(() => open(backwards)),
      PREFIX + context + negative,
    );
  }
  assert.match(
    messageOf(() => open(changed(GOOD, (f) => f.writeBigUInt64LE(f.readBigUInt64LE(40) - 1n, 40)))),
    /: Error reading splitstream references: 63 bytes are not a multiple of the digest size 32$/,
  );
  assert.match(
    messageOf(() => open(changed(GOOD, (f) => f.writeBigUInt64LE(f.readBigUInt64LE(56) - 1n, 56)))),
    /: Error reading object references: 63 bytes are not a multiple of the digest size 32$/,
  );
});

test('an empty range is read whatever its start is', () => {
  const file = changed(rawFile({}), (f) => {
    for (const field of [32, 40, 48, 56]) f.writeBigUInt64LE(2n ** 63n, field);
  });
  assert.deepEqual(open(file).objectRefs, []);
});

test('what the format leaves open is accepted: more info, gaps, overlaps, trailing bytes, repeated refs', () => {
  assert.deepEqual(describe(open(rawFile({ moreInfo: Buffer.alloc(40, 7), body: inlineChunk('x') }))), ['inline x']);
  assert.deepEqual(describe(open(Buffer.concat([GOOD, Buffer.alloc(99)]))).length, 3);
  assert.deepEqual(open(rawFile({ objectRefs: ids(1, 1) })).objectRefs, [idOf(1), idOf(1)]);
  const overlapping = changed(GOOD, (f) => f.copy(f, 32, 48, 64));
  assert.deepEqual(open(overlapping).lookupNamedRef('one'), idOf(0xbb));
});

test('what is wrong with the named refs is said (spec 30 §4.2)', () => {
  const cases: [string | Buffer, string][] = [
    ['0one\0', "Named reference doesn't contain a colon"],
    ['\0', "Named reference doesn't contain a colon"],
    ['0:a\0b\x000:c\0', "Named reference doesn't contain a colon"],
    [':a\0', 'Named reference contains a non-integer index'],
    ['x:a\0', 'Named reference contains a non-integer index'],
    ['-1:a\0', 'Named reference contains a non-integer index'],
    ['1 :a\0', 'Named reference contains a non-integer index'],
    ['18446744073709551616:a\0', 'Named reference contains a non-integer index'],
    [`${'9'.repeat(100_000)}:a\0`, 'Named reference contains a non-integer index'],
    ['2:a\0', 'Named reference out of bounds'],
    ['18446744073709551615:a\0', 'Named reference out of bounds'],
    ['0:a\x001:b', 'Trailing junk in named references section'],
    [Buffer.from('0:\xff\0', 'latin1'), 'Named reference is not valid UTF-8'],
  ];
  for (const [namedRefs, message] of cases) {
    const file = rawFile({ streamRefs: ids(1, 2), namedRefs });
    assert.equal(
      messageOf(() => open(file)),
      `${PREFIX}Error reading splitstream mappings: ${message}`,
    );
  }
});

test('named refs: the last of two counts, names may be empty and contain colons', () => {
  const reader = open(rawFile({ streamRefs: ids(1, 2), namedRefs: '0:a\x001:a\x00+01:\x000:b:c\x000:\ufeffé\x00' }));
  assert.deepEqual(
    [...reader.namedRefs()],
    [
      ['a', idOf(2)],
      ['', idOf(2)],
      ['b:c', idOf(1)],
      ['\ufeffé', idOf(1)],
    ],
  );
});

test('a named refs section without a frame, or one that expands beyond the limit, is refused', () => {
  assert.match(
    messageOf(() => open(rawFile({ namedRefsSection: Buffer.alloc(0) }))),
    /mappings: .*incomplete frame$/,
  );
  assert.match(
    messageOf(() => open(rawFile({ namedRefsSection: repeatFrame(0x30, 600) }))),
    /mappings: Named references section is too large$/,
  );
});

test('a stream section without a frame is seen when the stream is read, not before', () => {
  const reader = open(rawFile({ bodySection: Buffer.alloc(0), objectRefs: ids(1) }));
  assert.deepEqual(reader.objectRefs, [idOf(1)]);
  assert.match(
    messageOf(() => reader.nextChunk()),
    /incomplete frame$/,
  );
  assert.match(
    messageOf(() => reader.nextChunk()),
    /incomplete frame$/,
    'a second read must not look like the end',
  );
});

test('frames and skippable frames of the stream are concatenated; junk is an error when it is reached', () => {
  const chunks = inlineChunk('hello');
  const bodySection = Buffer.concat([
    skippableFrame(Buffer.from('skip')),
    rawFrame(chunks.subarray(0, 3)),
    rawFrame(chunks.subarray(3)),
  ]);
  assert.deepEqual(describe(open(rawFile({ bodySection }))), ['inline hello']);
  const reader = open(rawFile({ bodySection: Buffer.concat([bodySection, Buffer.from('junk')]) }));
  assert.equal(reader.readInlineExact(5)?.toString(), 'hello');
  assert.match(
    messageOf(() => reader.readInlineExact(1)),
    /zstd/,
  );
});

test('the stream is not decompressed to read refs', () => {
  const file = rawFile({ objectRefs: ids(1), namedRefs: '', bodySection: Buffer.from('this is no zstd data') });
  const reader = open(file);
  assert.deepEqual(reader.objectRefs, [idOf(1)]);
  assert.match(
    messageOf(() => [...reader.chunks()]),
    /^Walking splitstream chunks: /,
  );
});

test('what is wrong with a chunk is said (spec 30 §4.3)', () => {
  const walk = (file: Buffer): string => messageOf(() => [...open(file).chunks()]);
  const context = 'Walking splitstream chunks: ';
  assert.equal(walk(body(externalChunk(2))), `${context}Splitstream external reference is out of range`);
  assert.equal(walk(body(externalChunk(2n ** 63n - 1n))), `${context}Splitstream external reference is out of range`);
  assert.equal(walk(body(Buffer.alloc(7))), `${context}Unexpected EOF in splitstream`);
  assert.equal(walk(body(inlineChunk('ab', 3n))), `${context}Unexpected EOF in splitstream`);
  assert.equal(walk(body(inlineChunk('ab', 2n ** 63n))), `${context}Unexpected EOF in splitstream`);
  const cat = (file: Buffer): string => messageOf(() => [...catSplitStream(open(file), () => [])]);
  assert.equal(
    cat(body(externalChunk(2))),
    'Concatenating splitstream to output: Splitstream external reference is out of range',
  );
});

test('readInlineExact: within one chunk only, and no external', () => {
  const file = body(inlineChunk('abcdef'), externalChunk(0));
  const reader = open(file);
  assert.equal(reader.readInlineExact(2)?.toString(), 'ab');
  assert.equal(
    messageOf(() => reader.readInlineExact(5)),
    'Unexpectedly small inline content when parsing splitstream',
  );
  assert.equal(reader.readInlineExact(4)?.toString(), 'cdef');
  assert.equal(
    messageOf(() => reader.readInlineExact(1)),
    'Unexpected external reference in splitstream',
  );
  assert.equal(open(body()).readInlineExact(1), undefined);
  assert.equal(open(body()).readInlineExact(0), undefined, 'a zero-length read at a boundary sees the end');
  const lying = open(body(inlineChunk('abc', 2n ** 62n)));
  assert.equal(
    messageOf(() => lying.readInlineExact(2 ** 40)),
    'Unexpected EOF in splitstream',
  );
});

test('readExact: inline content with its padding', () => {
  const reader = open(body(inlineChunk('content....next')));
  assert.deepEqual(reader.readExact(7, 11), { type: 'inline', data: Buffer.from('content') });
  assert.equal(reader.readInlineExact(4)?.toString(), 'next');
  assert.equal(
    messageOf(() => reader.readExact(1, 1)),
    'Unexpected EOF in splitstream',
  );
  assert.deepEqual(reader.readExact(0, 0), { type: 'inline', data: Buffer.alloc(0) });
});

test('readExact: at the end of the stream padding may be missing', () => {
  const content = { type: 'inline', data: Buffer.from('content') };
  for (const text of ['content', 'content...']) {
    const reader = open(body(inlineChunk(text)));
    assert.deepEqual(reader.readExact(7, 11), content);
    assert.equal(reader.readInline(1), undefined);
    const object = open(body(externalChunk(0), inlineChunk(text)));
    assert.deepEqual(object.readExact(500, 512), { type: 'external', id: idOf(0xaa) });
    assert.equal(object.readInline(1), undefined);
  }
  assert.deepEqual(open(body(externalChunk(0))).readExact(508, 512), { type: 'external', id: idOf(0xaa) });
  for (const next of [inlineChunk('x'), externalChunk(0)]) {
    const reader = open(body(inlineChunk('content...'), next));
    assert.equal(
      messageOf(() => reader.readExact(7, 11)),
      'Unexpectedly small inline content when parsing splitstream',
    );
  }
});

test('readInline: as much as there is in the chunk', () => {
  const reader = open(body(inlineChunk('abcde'), inlineChunk('fg'), externalChunk(0)));
  assert.equal(reader.readInline(3)?.toString(), 'abc');
  assert.equal(reader.readInline(3)?.toString(), 'de');
  assert.equal(reader.readInline(3)?.toString(), 'fg');
  assert.equal(
    messageOf(() => reader.readInline(3)),
    'Unexpected external reference in splitstream',
  );
});

test('readExact: an object, its padding dropped', () => {
  const reader = open(
    body(externalChunk(1), inlineChunk('....next'), externalChunk(0), externalChunk(1), externalChunk(0)),
  );
  assert.deepEqual(reader.readExact(508, 512), { type: 'external', id: idOf(0xbb) });
  assert.equal(reader.readInlineExact(4)?.toString(), 'next');
  assert.deepEqual(reader.readExact(512, 512), { type: 'external', id: idOf(0xaa) });
  assert.equal(
    messageOf(() => reader.readExact(1, 512)),
    'Unexpected external reference in splitstream',
  );
  const short = open(body(externalChunk(0), inlineChunk('...'), externalChunk(0)));
  assert.equal(
    messageOf(() => short.readExact(508, 512)),
    'Unexpectedly small inline content when parsing splitstream',
  );
});

test('inlineData: streams without external parts only', () => {
  assert.equal(Buffer.concat([...open(body(inlineChunk('ab'), inlineChunk('cd'))).inlineData()]).toString(), 'abcd');
  assert.equal(
    messageOf(() => [...open(body(inlineChunk('ab'), externalChunk(0))).inlineData()]),
    'Unexpected external reference in splitstream',
  );
});

test('cat: errors of an object have the context, and its iteration is closed when left early', () => {
  const failing = messageOf(() => [
    ...catSplitStream(open(GOOD), () => {
      throw Object.assign(new Error('no such object'), { code: 'ENOENT' });
    }),
  ]);
  assert.equal(failing, 'Concatenating splitstream to output: no such object');
  let closed = false;
  const object = function* (): Generator<Buffer> {
    try {
      for (;;) yield Buffer.of(1);
    } finally {
      closed = true;
    }
  };
  for (const piece of catSplitStream(open(GOOD), object)) if (piece.length === 1) break;
  assert.ok(closed);
});

test('a long inline chunk comes in parts, and is never allocated as a whole', () => {
  const writer = new SplitStreamWriter('sha256', 0n);
  for (let i = 0; i < 40; i++) writer.writeInline(Buffer.alloc(100_000, i));
  const reader = open(finished(writer));
  let total = 0;
  for (const chunk of reader.chunks()) {
    assert.ok(chunk.type === 'inline' && chunk.data.length <= 131072);
    total += chunk.data.length;
  }
  assert.equal(total, 4_000_000);
});

test('an open file is read, and closed with the reader', () => {
  withTempDir((directory) => {
    const path = join(directory, 'stream');
    writeFileSync(path, GOOD);
    const fd = openSync(path, 'r');
    const reader = SplitStreamReader.open(fdSource(fd), 'sha256');
    assert.equal(describe(reader).length, 3);
    reader.close();
    reader.close();
    assert.match(
      messageOf(() => reader.nextChunk()),
      /reader is closed/,
    );
    assert.throws(() => fdSource(fd), { code: 'EBADF' });
  });
});

test('a source is closed when opening fails', () => {
  let closed = 0;
  const source = { ...bufferSource(Buffer.alloc(200)), close: () => void closed++ };
  assert.throws(() => SplitStreamReader.open(source, 'sha256'));
  assert.equal(closed, 1);
});

test('a file that shrinks while it is read is an incomplete read', () => {
  const source = {
    size: GOOD.length,
    read: (offset: number, length: number) => GOOD.subarray(offset, Math.min(offset + length, GOOD.length - 3)),
  };
  const reader = SplitStreamReader.open(source, 'sha256');
  assert.match(
    messageOf(() => [...reader.chunks()]),
    /Incomplete read from splitstream file$/,
  );
});
