import assert from 'node:assert/strict';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { errorCode, fullMessage } from '../../src/errors.js';
import { parseLine, readTarSplit, type TarSplitItem } from '../../src/storage/tar-split.js';
import { withTempDir } from '../support/paths.js';

async function read(bytes: Buffer): Promise<TarSplitItem[]> {
  return await withTempDir(async (dir) => {
    const path = join(dir, 'x.tar-split.gz');
    writeFileSync(path, bytes);
    const fd = openSync(path, 'r');
    try {
      const items: TarSplitItem[] = [];
      for await (const batch of readTarSplit(fd, 'x.tar-split.gz')) items.push(...batch);
      return items;
    } finally {
      closeSync(fd);
    }
  });
}

test('lines as containers/storage writes them', () => {
  assert.deepEqual(parseLine('{"type":2,"payload":"AAEC","position":0}', 'l', 7), {
    type: 'segment',
    bytes: Buffer.from([0, 1, 2]),
  });
  assert.deepEqual(parseLine('{"type":2,"payload":null,"position":8}', 'l', 7), {
    type: 'segment',
    bytes: Buffer.alloc(0),
  });
  assert.deepEqual(
    parseLine('{"type":1,"name":"usr/\\u003ca","size":12,"payload":"ROnPP1cq2aw=","position":3}', 'l', 7),
    {
      type: 'file',
      name: 'usr/<a',
      size: 12,
      crc: Buffer.from('44e9cf3f572ad9ac', 'hex'),
    },
  );
  assert.deepEqual(
    parseLine('{"type":1,"name_raw":"dXNyL27/","size":1,"payload":"NCAAAAAAAAA=","position":3}', 'l', 7),
    {
      type: 'file',
      name: 'usr/n\xff',
      size: 1,
      crc: Buffer.from('3420000000000000', 'hex'),
    },
  );
  assert.deepEqual(parseLine('{"type":1,"name":"usr/","payload":null,"position":1}', 'l', 7), {
    type: 'file',
    name: 'usr/',
    size: 0,
    crc: undefined,
  });
});

test('lines that are none', () => {
  const cases: readonly [line: string, message: RegExp][] = [
    ['', /Failed to parse tar-split entry: l, line 7/],
    ['{', /Failed to parse tar-split entry/],
    ['[]', /expected an object/],
    ['{"type":3}', /Invalid tar-split entry type: 3/],
    ['{"type":"1"}', /Invalid tar-split entry type: 1/],
    ['{"type":1,"name":"a","size":-1}', /invalid size/],
    ['{"type":1,"name":"a","size":1.5}', /invalid size/],
    ['{"type":1,"name":"a","size":9007199254740993}', /invalid size/],
    ['{"type":1,"name":5,"size":1}', /the name is no text/],
    ['{"type":1,"name":"a","size":1,"payload":"AAAA"}', /Invalid CRC64 length: 3 bytes/],
    ['{"type":2,"payload":"A?=="}', /Failed to decode base64 payload/],
    ['{"type":2,"payload":"AAA"}', /Failed to decode base64 payload/],
    ['{"type":1,"name_raw":"*","size":1}', /Failed to decode base64 name_raw/],
  ];
  for (const [line, message] of cases) {
    assert.throws(
      () => parseLine(line, 'l', 7),
      (error) => errorCode(error) === 'INVALID_TAR_SPLIT' && message.test(fullMessage(error)),
      line,
    );
  }
});

test('a tar-split is read line by line', async () => {
  const text = '{"type":2,"payload":"AAEC"}\n{"type":1,"name":"a"}\n';
  const items = [
    { type: 'segment', bytes: Buffer.from([0, 1, 2]) },
    { type: 'file', name: 'a', size: 0, crc: undefined },
  ];
  assert.deepEqual(await read(gzipSync(text)), items);
  assert.deepEqual(await read(gzipSync(text.trimEnd())), items);
  await assert.rejects(read(Buffer.concat([gzipSync(text), Buffer.from('rubbish')])), { code: 'INVALID_TAR_SPLIT' });
});

test('a tar-split that is cut short or too long in a line', async () => {
  const whole = gzipSync('{"type":2,"payload":"AAEC"}\n'.repeat(100));
  await assert.rejects(read(whole.subarray(0, -9)), { code: 'INVALID_TAR_SPLIT' });
  await assert.rejects(read(Buffer.from('no gzip')), { code: 'INVALID_TAR_SPLIT' });
  await assert.rejects(read(gzipSync(Buffer.alloc(33 << 20, 'x'))), /a line of more than 32 MiB/);
});

test('segments come back whatever is in them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 20 }), async (segments) => {
      const lines = segments.map((bytes) =>
        JSON.stringify({ type: 2, payload: Buffer.from(bytes).toString('base64') }),
      );
      const items = await read(gzipSync(lines.map((line) => `${line}\n`).join('')));
      assert.deepEqual(
        items,
        segments.map((bytes) => ({ type: 'segment', bytes: Buffer.from(bytes) })),
      );
    }),
    { numRuns: 30 },
  );
});

/** What lines are as they usually are, and nearly so. */
const lineArbitrary = fc.oneof(
  fc.record({ payload: fc.uint8Array({ maxLength: 60 }), position: fc.nat() }).map(({ payload, position }) => ({
    type: 2,
    payload: Buffer.from(payload).toString('base64'),
    position,
  })),
  fc.record({
    type: fc.constant(1),
    name: fc.oneof(fc.string(), fc.constantFrom('usr/bin/x', 'a"b', 'a\\b', 'é', '')),
    size: fc.option(fc.nat(), { nil: undefined }),
    payload: fc.constantFrom(null, 'ROnPP1cq2aw='),
    position: fc.nat(),
  }),
  fc.record({
    type: fc.constant(1),
    name_raw: fc.constant('dXNyL27/'),
    size: fc.nat(),
    payload: fc.constant(null),
    position: fc.nat(),
  }),
);

test('lines in bulk are what each is by itself, however the file is packed', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(lineArbitrary, { maxLength: 30 }), fc.boolean(), async (entries, isEnded) => {
      const lines = entries.map((entry) => JSON.stringify(entry));
      const expected = lines.map((line, index) => parseLine(line, 'x', index + 1));
      const text = `${lines.join('\n')}${isEnded && lines.length > 0 ? '\n' : ''}`;
      const half = Buffer.from(text).length >> 1;
      const members = [Buffer.from(text).subarray(0, half), Buffer.from(text).subarray(half)];
      assert.deepEqual(await read(gzipSync(text)), expected);
      assert.deepEqual(await read(Buffer.concat(members.map((part) => gzipSync(part)))), expected);
    }),
    { numRuns: 100 },
  );
});

test('a line that is nearly as usual is refused with its number', async () => {
  const good = '{"type":2,"payload":"AAEC","position":0}\n';
  const cases: readonly [line: string, message: RegExp][] = [
    ['{"type":2,"payload":"A===","position":1}', /x.tar-split.gz, line 2: Failed to decode base64 payload/],
    ['{"type":2,"payload":"AAEC","position":01}', /Failed to parse tar-split entry: x.tar-split.gz, line 2/],
    ['{"type":2,"payload":"AAEC","position":1} ', /^$/],
    ['{"type":1,"name":"a","size":1e30,"payload":null,"position":1}', /line 2: invalid size/],
    ['{"type":1,"name":"a\tb","size":1,"payload":null,"position":1}', /Failed to parse tar-split entry/],
  ];
  for (const [line, message] of cases) {
    const found = await read(gzipSync(`${good}${line}\n`)).then(
      () => '',
      (error: unknown) => fullMessage(error),
    );
    assert.match(found, message, line);
  }
});
