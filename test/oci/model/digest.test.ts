import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  digestAlgorithm,
  digestEncoded,
  OciDigest,
  OciDigestError,
  parseOciDigest,
  sha256ContentDigest,
  sha256Hex,
} from '../../../src/oci/model/digest.js';

const hex = 'b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9';

const failures: readonly (readonly [string, string])[] = [
  ['', "missing ':' in digest"],
  ['foo', "missing ':' in digest"],
  [':', 'Empty algorithm component'],
  ['blah+', "missing ':' in digest"],
  ['blah+:x', 'Empty algorithm component'],
  ['_digest:somevalue', 'Empty algorithm component'],
  ['a++b:x', 'Empty algorithm component'],
  [':blah', 'Empty algorithm component'],
  ['blah:', 'Empty algorithm value'],
  ['FooBar:123abc', 'Invalid algorithm component: FooBar'],
  ['a.B:1', 'Invalid algorithm component: B'],
  ['^:foo', 'Invalid algorithm component: ^'],
  ['bar^baz:blah', 'Invalid algorithm component: bar^baz'],
  ['a/b:x', 'Invalid algorithm component: a/b'],
  ['sha256:123456*78', 'Invalid encoded value 123456*78'],
  ['foo:a/b', 'Invalid encoded value a/b'],
  ['foo:a:b', 'Invalid encoded value a:b'],
  ['foo:a\n', 'Invalid encoded value a\n'],
  ['sha384:x', 'Invalid digest length 1 expected 96'],
  [`sha256:${hex}0`, 'Invalid digest length 65 expected 64'],
  [`sha512:${hex}`, 'Invalid digest length 64 expected 128'],
  [`sha256:${hex.slice(1)}z`, `Invalid non-hexadecimal character in digest: ${hex.slice(1)}z`],
  [`sha256:${hex.toUpperCase()}`, `Invalid non-hexadecimal character in digest: ${hex.toUpperCase()}`],
];

for (const [text, message] of failures) {
  test(`the digest ${JSON.stringify(text)} is refused`, () => {
    assert.throws(() => parseOciDigest(text), new OciDigestError(message));
  });
}

test('digests of any algorithm pass', () => {
  const valid = [
    'foo:bar',
    'xxhash:42',
    'multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8',
    `sha256:${hex}`,
    `sha384:${hex}${hex.slice(0, 32)}`,
    `sha512:${hex}${hex}`,
    'a_b-c.d+e:=_-Z',
  ];
  for (const text of valid) assert.equal(OciDigest.parse(text), text);
});

test('a digest splits at its first colon', () => {
  const digest = parseOciDigest('multihash+base58:Qm=');
  assert.equal(digestAlgorithm(digest), 'multihash+base58');
  assert.equal(digestEncoded(digest), 'Qm=');
  assert.equal(sha256Hex(digest), undefined);
  assert.equal(sha256Hex(parseOciDigest(`sha256:${hex}`)), hex);
});

test('the content digest is that of SHA-256', () => {
  assert.equal(sha256ContentDigest(Buffer.from('hello world')), `sha256:${hex}`);
  assert.equal(
    sha256ContentDigest(Buffer.from('{}')),
    'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
  );
});
