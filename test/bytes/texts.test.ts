import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatSize } from '../../src/bytes/format-size.js';
import { normalizeHex } from '../../src/bytes/hex.js';
import { printable, printableJson } from '../../src/bytes/printable.js';
import { decodeUtf8, textLines, trim, trimStart } from '../../src/bytes/text.js';

const anyText = fc.string({ unit: 'binary', maxLength: 40 });

test('nothing in a printable text moves a cursor, ends a line or hides', () => {
  assert.equal(printable('a\u001b[31mb\n'), 'a\\u{1b}[31mb\\u{a}');
  assert.equal(printable('safe\u202etxt.exe'), 'safe\\u{202e}txt.exe');
  assert.equal(printable('\u{e0001}'), '\\u{e0001}');
  assert.equal(printable('déjà vu 漢字 \\'), 'déjà vu 漢字 \\');
  fc.assert(fc.property(anyText, (text) => assert.doesNotMatch(printable(text), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)));
});

test('a printable JSON text means the same', () => {
  assert.equal(printableJson('{"a":"\u001b\u{e0001}"}\n'), '{"a":"\\u001b\\udb40\\udc01"}\n');
  fc.assert(
    fc.property(anyText, (text) => {
      const json = printableJson(JSON.stringify({ text }, null, 2));
      assert.deepEqual(JSON.parse(json), { text });
      assert.doesNotMatch(json.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    }),
  );
});

test('white space is what Unicode says it is', () => {
  assert.equal(trim('\u0085\u2003 a b\u3000\r\n'), 'a b');
  // JavaScript's own trim would take this one away.
  assert.equal(trim('\ufeffa'), '\ufeffa');
  assert.equal(trimStart(' a '), 'a ');
  fc.assert(
    fc.property(fc.stringMatching(/^[ \t\u0085\u2000a\u00a0]*$/), (text) => {
      assert.equal(trim(text), text.replace(/^\p{White_Space}+/u, '').replace(/\p{White_Space}+$/u, ''));
    }),
  );
});

test('lines end with LF or CR LF, the last one perhaps with nothing', () => {
  assert.deepEqual(textLines('a\r\n\nb\rc'), ['a', '', 'b\rc']);
  assert.deepEqual(textLines(''), []);
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[^\n\r]*$/)), fc.constantFrom('\n', '\r\n'), (lines, end) => {
      assert.deepEqual(textLines(lines.map((line) => line + end).join('')), lines);
    }),
  );
});

test('bytes that are no UTF-8 are no text, and a byte order mark is one', () => {
  assert.equal(decodeUtf8(Buffer.from([0xc3, 0x28])), undefined);
  assert.equal(decodeUtf8(Buffer.from('\ufeffa')), '\ufeffa');
});

test('hex is lower case, and the first other character is named with its place', () => {
  assert.equal(normalizeHex('00aAFf'), '00aaff');
  assert.throws(() => normalizeHex('0g\u001b'), {
    code: 'INVALID_HEX',
    index: 1,
    message: "Invalid character 'g' at position 1",
  });
});

test('sizes have two decimals of their exact value, ties to even', () => {
  const sizes = [0, 1023, 1024, 1152, 1153, 1536, 2 ** 20 - 1, 1.5 * 2 ** 20, 2 ** 53 - 1];
  assert.deepEqual(sizes.map(formatSize), [
    '0 B',
    '1023 B',
    '1.00 KiB',
    '1.12 KiB',
    '1.13 KiB',
    '1.50 KiB',
    '1024.00 KiB',
    '1.50 MiB',
    '8.00 PiB',
  ]);
});
