import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeTag, encodeTag, RefNameError, validateLayerName, validateTag } from '../../../src/oci/model/tag.js';

const vectors: readonly (readonly [string, string])[] = [
  ['myimage:latest', 'myimage:latest'],
  ['library/nginx', 'library%2Fnginx'],
  ['docker://busybox', 'docker:%2F%2Fbusybox'],
  ['test%2F', 'test%252F'],
];

for (const [tag, encoded] of vectors) {
  test(`the tag ${tag} is stored as ${encoded}`, () => {
    assert.equal(encodeTag(tag), encoded);
    assert.equal(decodeTag(encoded), tag);
  });
}

test('encoding is undone by decoding', () => {
  const samples = [
    'simple',
    'weird%name/with/slashes',
    '%2F',
    'a/b%c',
    '100%',
    '%25already-encoded',
    'double%%percent',
  ];
  for (const tag of samples) assert.equal(decodeTag(encodeTag(tag)), tag);
  const tags = fc.oneof(fc.string({ unit: 'grapheme' }), fc.array(fc.constantFrom('%', '/', '2', '5', 'F', 'é', '😀')));
  fc.assert(
    fc.property(tags, (parts) => {
      const tag = typeof parts === 'string' ? parts : parts.join('');
      const encoded = encodeTag(tag);
      assert.equal(encoded.includes('/'), false);
      assert.equal(decodeTag(encoded), tag);
    }),
  );
});

test('what is no escape stands for itself, with the characters that were looked at', () => {
  const literal = ['%2f', '%', 'a%', '%2', '%zz', '%é', '%😀%2F', '%\n%2F', '%%2F', '%%%2F'];
  assert.deepEqual(literal.map(decodeTag), literal);
  assert.equal(decodeTag('%%%%2F'), '%%%/');
  assert.equal(decodeTag('%aa%2F'), '%aa/');
  assert.equal(decodeTag('%2525'), '%25');
});

test('names that are no file names are refused as tags', () => {
  const message = `Invalid ref name "@x": leading '@' is reserved for digest references`;
  assert.throws(() => validateTag('@x'), new RefNameError(message));
  const reasons: readonly (readonly [string, RegExp])[] = [
    ['', /empty name/],
    ['.', /'\.' is not a name/],
    ['..', /'\.\.' is not a name/],
    ['a\0b', /NUL character/],
    ['a\ud800', /not representable in UTF-8/],
    ['a'.repeat(256), /256 bytes when encoded, at most 255 are possible/],
    ['/'.repeat(86), /258 bytes when encoded/],
    ['é'.repeat(128), /256 bytes when encoded/],
  ];
  for (const [name, reason] of reasons) assert.throws(() => validateTag(name), reason);
  for (const name of ['a@b', '...', '/', 'a'.repeat(255), '/'.repeat(85), 'a:b', '../../x', ' ']) validateTag(name);
});

test('layer names may have components, and each must be a name', () => {
  for (const name of ['a', 'a/b/c', '@x', '%', 'a'.repeat(255)]) validateLayerName(name);
  for (const name of ['', '/', '/a', 'a/', 'a//b', './a', 'a/..', '../a', 'a/\0', `x/${'a'.repeat(256)}`]) {
    assert.throws(() => validateLayerName(name), RefNameError);
  }
});
