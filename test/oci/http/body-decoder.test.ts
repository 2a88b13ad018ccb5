import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bodyDecoder } from '../../../src/oci/http/body-decoder.js';
import type { BodyFraming } from '../../../src/oci/http/response-head.js';

interface Decoded {
  readonly content: string;
  /** What follows the body; undefined: the body is not at its end. */
  readonly rest: string | undefined;
  readonly mayEnd: boolean;
}

function decode(framing: BodyFraming, pieces: readonly Buffer[]): Decoded {
  const decoder = bodyDecoder(framing);
  let content = '';
  for (const [index, piece] of pieces.entries()) {
    const pushed = decoder.push(piece);
    content += Buffer.concat(pushed.content).toString('latin1');
    if (decoder.isDone) {
      const rest = Buffer.concat([piece.subarray(pushed.next), ...pieces.slice(index + 1)]).toString('latin1');
      return { content, rest, mayEnd: decoder.mayEnd };
    }
    assert.equal(pushed.next, piece.length);
  }
  return { content, rest: decoder.isDone ? '' : undefined, mayEnd: decoder.mayEnd };
}

const CHUNKED: BodyFraming = { kind: 'chunked' };
const whole = (text: string): Buffer[] => [Buffer.from(text, 'latin1')];
const bytes = (text: string): Buffer[] => [...Buffer.from(text, 'latin1')].map((byte) => Buffer.of(byte));

test('a body of a length', () => {
  const framing: BodyFraming = { kind: 'length', length: 5 };
  for (const split of [whole, bytes]) {
    assert.deepEqual(decode(framing, split('hello+')), { content: 'hello', rest: '+', mayEnd: true });
    assert.deepEqual(decode(framing, split('hell')), { content: 'hell', rest: undefined, mayEnd: false });
  }
  assert.deepEqual(decode({ kind: 'length', length: 0 }, []), { content: '', rest: '', mayEnd: true });
});

test('a body that ends with the connection', () => {
  for (const split of [whole, bytes]) {
    assert.deepEqual(decode({ kind: 'close' }, split('hello')), { content: 'hello', rest: undefined, mayEnd: true });
  }
});

for (const [what, text, content] of [
  ['chunks', '5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n', 'hello!'],
  ['no chunk', '0\r\n\r\n', ''],
  ['upper case and zeros', '00A\r\n0123456789\r\n000\r\n\r\n', '0123456789'],
  ['extensions and blanks', '5;a=b;c="d"\r\nhello\r\n1  \r\n!\r\n0 ;x\r\n\r\n', 'hello!'],
  ['a trailer', '5\r\nhello\r\n0\r\nX-Sum: 1\r\nX: y\r\n\r\n', 'hello'],
  ['LF alone', '5\nhello\n0\n\n', 'hello'],
  ['data like lines', '4\r\n\r\n\r\n\r\n0\r\n\r\n', '\r\n\r\n'],
] as const) {
  test(`a body in chunks: ${what}`, () => {
    for (const split of [whole, bytes]) {
      assert.deepEqual(decode(CHUNKED, split(`${text}HTTP/1.1`)), { content, rest: 'HTTP/1.1', mayEnd: true });
      const { rest, mayEnd } = decode(CHUNKED, split(text.slice(0, -1)));
      assert.deepEqual([rest, mayEnd], [undefined, false]);
    }
  });
}

for (const [text, message] of [
  ['\r\n', 'a chunk has no size'],
  ['x\r\n', 'a chunk has no size'],
  ['-1\r\n', 'a chunk has no size'],
  ['0x5\r\n', 'a chunk has no size'],
  ['5 5\r\n', 'a chunk has no size'],
  ['20000000000000\r\n', 'a chunk has no size'],
  ['5\r\nhello!\r\n', 'a chunk is longer than its size'],
  [`5;${'x'.repeat(5000)}\r\n`, 'the line before a chunk is too long'],
  [`5${' '.repeat(5000)}`, 'the line before a chunk is too long'],
  [`1;${'x'.repeat(4000)}\r\na\r\n`.repeat(5), 'its chunks are next to empty'],
  [`0\r\n${'X: y\r\n'.repeat(20_000)}`, 'the trailer is too long'],
] as const) {
  test(`a body in chunks is refused: ${JSON.stringify(text.slice(0, 40))}`, () => {
    for (const split of [whole, bytes]) {
      assert.throws(() => decode(CHUNKED, split(text)), { name: 'HttpSyntaxError', message });
    }
  });
}

test('single bytes in chunks are no overhead', () => {
  assert.equal(decode(CHUNKED, whole(`${'1\r\nx\r\n'.repeat(50_000)}0\r\n\r\n`)).content.length, 50_000);
});

test('what is put into chunks comes out of them, in whichever pieces', () => {
  const parts = fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }));
  fc.assert(
    fc.property(parts, fc.array(fc.nat(400)), (chunks, cuts) => {
      const coded = chunks.map((chunk) =>
        Buffer.concat([...whole(`${chunk.length.toString(16)}\r\n`), chunk, ...whole('\r\n')]),
      );
      const stream = Buffer.concat([...coded, ...whole('0\r\n\r\n')]);
      const ends = [...new Set([...cuts.filter((cut) => cut < stream.length), stream.length])].sort((a, b) => a - b);
      const pieces = ends.map((end, index) => stream.subarray(ends[index - 1] ?? 0, end));
      const content = Buffer.concat(chunks).toString('latin1');
      assert.deepEqual(decode(CHUNKED, pieces), { content, rest: '', mayEnd: true });
    }),
  );
});
