import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HttpSyntaxError } from '../../../src/oci/http/http-syntax.js';
import { type ResponseHead, ResponseHeadParser } from '../../../src/oci/http/response-head.js';

/** The head, and what follows it, of bytes that come in pieces which end at `cuts`. */
function parse(text: string, cuts: readonly number[] = []): { head: ResponseHead; rest: string } | undefined {
  const data = Buffer.from(text, 'latin1');
  const parser = new ResponseHeadParser();
  let start = 0;
  for (const end of [...new Set([...cuts, data.length])].sort((a, b) => a - b)) {
    const piece = data.subarray(start, end);
    const parsed = parser.push(piece);
    if (parsed !== undefined) return { head: parsed.head, rest: data.toString('latin1', start + parsed.next) };
    start = end;
  }
  return undefined;
}

function everyByte(text: string): number[] {
  return Array.from({ length: text.length }, (_, index) => index + 1);
}

const OK = 'HTTP/1.1 200 OK\r\n';
const length = (bytes: number): ResponseHead['framing'] => ({ kind: 'length', length: bytes });

/** What is taken: the text, and of its head what matters. */
const TAKEN: readonly (readonly [what: string, text: string, expected: Partial<ResponseHead>])[] = [
  [
    'a plain head',
    `${OK}Content-Length: 5\r\nX-A: b\r\n\r\n`,
    { status: 200, headers: { 'content-length': '5', 'x-a': 'b' }, framing: length(5), keepsAlive: true },
  ],
  ['no reason', 'HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n', { status: 404, framing: length(0), keepsAlive: true }],
  ['a reason of nothing', 'HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n', { status: 404, keepsAlive: true }],
  ['another version', 'HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\n', { status: 200, keepsAlive: true }],
  ['version 1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n', { framing: length(5), keepsAlive: false }],
  ['no length', `${OK}\r\n`, { framing: { kind: 'close' }, keepsAlive: false }],
  ['chunks', `${OK}Transfer-Encoding: Chunked\r\n\r\n`, { framing: { kind: 'chunked' }, keepsAlive: true }],
  [
    'chunks said twice',
    `${OK}${'Transfer-Encoding: chunked\r\n'.repeat(2)}\r\n`,
    { framing: { kind: 'chunked' }, keepsAlive: false },
  ],
  ['chunks in version 1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', { framing: { kind: 'close' } }],
  [
    'the encoding identity',
    `${OK}Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n`,
    { framing: length(5), keepsAlive: false },
  ],
  [
    'length and chunks',
    `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`,
    { framing: { kind: 'chunked' }, keepsAlive: false },
  ],
  [
    'chunks and length',
    `${OK}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n`,
    { framing: { kind: 'chunked' }, keepsAlive: false },
  ],
  ['one length twice', `${OK}${'Content-Length: 5\r\n'.repeat(2)}\r\n`, { framing: length(5), keepsAlive: false }],
  ['one length in a list', `${OK}Content-Length: 5, 5\r\n\r\n`, { framing: length(5), keepsAlive: false }],
  ['a length that is none', `${OK}Content-Length: \r\n\r\n`, { framing: { kind: 'close' }, keepsAlive: false }],
  ['a length with blanks', `${OK}Content-Length:\t 5 \r\n\r\n`, { framing: length(5), keepsAlive: true }],
  [
    'LF alone',
    'HTTP/1.1 200 OK\nContent-Length: 5\nX-A: b\n\n',
    { headers: { 'content-length': '5', 'x-a': 'b' }, framing: length(5), keepsAlive: false },
  ],
  ['LF alone at the end', `${OK}Content-Length: 5\r\n\n`, { framing: length(5), keepsAlive: false }],
  [
    'folded fields',
    `${OK}X-A: one\r\n  two\r\n\tthree\r\nContent-Length: 5\r\n\r\n`,
    { headers: { 'x-a': 'one two three', 'content-length': '5' }, keepsAlive: false },
  ],
  ['a folded length', `${OK}Content-Length:\r\n 5\r\n\r\n`, { framing: length(5), keepsAlive: false }],
  ['a blank before the colon', `${OK}Content-Length : 5\r\n\r\n`, { framing: length(5), keepsAlive: false }],
  ['bytes beyond ASCII', `${OK}X-A: caf\xe9\r\n\r\n`, { headers: { 'x-a': 'caf\xe9' } }],
  ['a line end before it', `\r\n${OK}Content-Length: 5\r\n\r\n`, { framing: length(5), keepsAlive: true }],
  [
    'interim answers',
    `HTTP/1.1 103 Early Hints\r\nX-A: b\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n${OK}Content-Length: 5\r\n\r\n`,
    { status: 200, headers: { 'content-length': '5' } },
  ],
  ['Connection: close', `${OK}Content-Length: 5\r\nConnection: x, Close\r\n\r\n`, { keepsAlive: false }],
  ['no content', 'HTTP/1.1 204 No Content\r\n\r\n', { framing: length(0), keepsAlive: true }],
  ['not modified', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', { framing: length(0) }],
  [
    'fields that come twice',
    `${OK}WWW-Authenticate: a\r\nwww-authenticate: b\r\nLocation: c\r\nLocation: d\r\n\r\n`,
    { headers: { 'www-authenticate': 'a, b', location: 'c' } },
  ],
  [
    'a name of an object',
    `${OK}__proto__: a\r\nconstructor: b\r\n\r\n`,
    {
      headers: Object.fromEntries([
        ['__proto__', 'a'],
        ['constructor', 'b'],
      ]),
    },
  ],
];

for (const [what, text, expected] of TAKEN) {
  test(`a head with ${what}`, () => {
    const whole = parse(`${text}rest\r\n\r\n`);
    assert.ok(whole !== undefined);
    assert.deepEqual({ ...whole.head, ...expected }, whole.head);
    assert.equal(whole.rest, 'rest\r\n\r\n');
    assert.deepEqual(parse(text, everyByte(text))?.head, whole.head);
    // Nothing is taken for the end before it is there.
    assert.equal(parse(text.slice(0, -1)), undefined);
  });
}

const REFUSED: readonly (readonly [text: string, message: string])[] = [
  ['SSH-2.0-OpenSSH_9.2p1\r\n', 'the answer does not begin with a status'],
  ['\x15\x03\x01\x00\x02\x02\n', 'the answer does not begin with a status'],
  ['ICY 200 OK\r\n', 'the answer does not begin with a status'],
  ['HTTP/1.1 20 OK\r\n', 'the answer does not begin with a status'],
  ['HTTP/1.1 2000 OK\r\n', 'the answer does not begin with a status'],
  ['HTTP/1.1 +20 OK\r\n', 'the answer does not begin with a status'],
  ['HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n', 'it changes to another protocol'],
  [`${OK} X-A: b\r\n`, 'the headers begin with a blank'],
  [`${OK}garbage\r\n`, 'a header has no name'],
  [`${OK}: x\r\n`, 'a header has no name'],
  [`${OK}X A: x\r\n`, 'a header has no name'],
  [`${OK}X(A): x\r\n`, 'a header has no name'],
  [`${OK}X-A: a\x01b\r\n`, 'a header has a control character'],
  [`${OK}X-A: a\0b\r\n`, 'a header has a control character'],
  [`${OK}X-A: a\rb\r\n`, 'a header has a control character'],
  [`${OK}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`, 'its Content-Length is not one number'],
  [`${OK}Content-Length: 5, 6\r\n\r\n`, 'its Content-Length is not one number'],
  [`${OK}Content-Length: +5\r\n\r\n`, 'its Content-Length is not one number'],
  [`${OK}Content-Length: -5\r\n\r\n`, 'its Content-Length is not one number'],
  [`${OK}Content-Length: 0x5\r\n\r\n`, 'its Content-Length is not one number'],
  [`${OK}Content-Length: 9999999999999999\r\n\r\n`, 'its Content-Length is not one number'],
  [
    `${OK}Content-Length: 5\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n`,
    'its Content-Length is not one number',
  ],
  [`${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`, 'its Transfer-Encoding is not known'],
  [`${OK}X-A: ${'a'.repeat(64 << 10)}\r\n`, 'the headers are too long'],
  [`${OK}${'X-A: b\r\n'.repeat(9000)}`, 'the headers are too long'],
  ['HTTP/1.1 100 Continue\r\n\r\n'.repeat(3000), 'the headers are too long'],
  ['\r\n'.repeat(40_000), 'the headers are too long'],
];

for (const [text, message] of REFUSED) {
  test(`no head: ${JSON.stringify(text.slice(0, 70))}`, () => {
    const refused = { name: 'HttpSyntaxError', message };
    assert.throws(() => parse(text), refused);
    if (text.length < 1000) assert.throws(() => parse(text, everyByte(text)), refused);
  });
}

test('pieces of any size give the same as the whole', () => {
  const texts = fc.constantFrom(...TAKEN.map(([, text]) => `${text}rest`));
  fc.assert(
    fc.property(texts, fc.array(fc.nat(300)), (text, cuts) => {
      const inside = cuts.filter((cut) => cut > 0 && cut < text.length);
      assert.deepEqual(parse(text, inside), parse(text));
    }),
  );
});

test('any bytes are a head, or not, or not yet', () => {
  const line = fc.constantFrom(
    'Content-Length: 1',
    'Transfer-Encoding: chunked',
    ' x',
    'A : b',
    '',
    'HTTP/1.1 100',
    '\x00',
    'A:',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(line, fc.string({ unit: 'binary', maxLength: 20 }))), (lines) => {
      try {
        parse(OK + lines.map((each) => `${each}\r\n`).join(''));
      } catch (error) {
        assert.ok(error instanceof HttpSyntaxError, String(error));
      }
    }),
  );
});
