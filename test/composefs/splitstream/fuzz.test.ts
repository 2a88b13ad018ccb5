import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catSplitStream } from '../../../src/composefs/splitstream/cat.js';
import { SplitStreamWriter } from '../../../src/composefs/splitstream/writer.js';
import { errorCode, fullMessage } from '../../../src/errors.js';
import { releaseCheckInput } from '../../compression/zstd/fixtures.js';
import { randomNumbers } from '../../support/random.js';
import { externalChunk, finished, idOf, inlineChunk, open, rawFile, toOldHeader } from './fixtures.js';

const iterations = Number(process.env['COMPOSEFS_TEST_FUZZ'] ?? 4000);
/** More than any seed holds, less than what a wrong allocation would take. */
const MAX_OUTPUT = 64 * 1024 * 1024;

function seeds(): Buffer[] {
  const writer = new SplitStreamWriter('sha256', 7n);
  writer.addNamedStreamRef('sha256:one', idOf(1));
  writer.addNamedStreamRef('two', idOf(2));
  writer.writeInline(releaseCheckInput(3000));
  writer.writeReference(idOf(3));
  writer.writeInline(releaseCheckInput(200));
  const compressed = finished(writer);
  const raw = rawFile({
    streamRefs: Buffer.from(idOf(1) + idOf(2), 'hex'),
    objectRefs: Buffer.from(idOf(3) + idOf(4), 'hex'),
    namedRefs: '0:a\x001:b\x00',
    body: Buffer.concat([inlineChunk('header'), externalChunk(0), externalChunk(1), inlineChunk('x'.repeat(600))]),
  });
  return [compressed, raw, toOldHeader(raw)];
}

const INTERESTING = [0n, 1n, 0x7fn, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n];

function mutate(seed: Buffer, random: (limit: number) => number): Buffer {
  let file = Buffer.from(seed);
  for (let left = 1 + random(4); left > 0; left--) {
    switch (random(5)) {
      case 0:
        file = file.subarray(0, random(file.length + 1));
        break;
      case 1:
        if (file.length >= 8) {
          const value = INTERESTING[random(INTERESTING.length)] ?? 0n;
          file.writeBigUInt64LE(value, random(file.length - 7));
        }
        break;
      case 2:
        // The info block, and a little around it.
        if (file.length > 120) file.writeUInt8(random(256), random(120));
        break;
      default:
        if (file.length > 0) file.writeUInt8(random(256), random(file.length));
    }
  }
  return file;
}

function consume(file: Buffer): void {
  for (const read of ['chunks', 'cat', 'exact'] as const) {
    const reader = open(file);
    let total = 0;
    const count = (data: Buffer): void => {
      total += data.length;
      assert.ok(total <= MAX_OUTPUT);
    };
    if (read === 'chunks') for (const chunk of reader.chunks()) count(chunk.type === 'inline' ? chunk.data : file);
    else if (read === 'cat') for (const piece of catSplitStream(reader, () => [Buffer.of(1)])) count(piece);
    else for (let data = reader.readInlineExact(6); data !== undefined; data = reader.readInlineExact(1)) count(data);
    reader.close();
  }
}

test(`${iterations} mutated files are read or refused`, () => {
  const random = randomNumbers(20261124);
  const originals = seeds();
  let accepted = 0;
  for (let i = 0; i < iterations; i++) {
    const file = mutate(originals[i % originals.length] ?? Buffer.alloc(0), random);
    try {
      consume(file);
      accepted++;
    } catch (error) {
      const known = ['INVALID_SPLITSTREAM', 'INTEGER_TOO_LARGE'].includes(errorCode(error));
      assert.ok(known || errorCode(error).startsWith('COMPRESSED_'), fullMessage(error));
    }
  }
  assert.ok(accepted < iterations);
});
