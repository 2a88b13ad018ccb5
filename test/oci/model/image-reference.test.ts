import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatImageReference,
  ImageReferenceError,
  parseArchiveRef,
  parseDockerArchiveRef,
  parseImageReference,
  parseOciLayoutRef,
  type Transport,
} from '../../../src/oci/model/image-reference.js';

const valid = [
  ['docker://quay.io/a/b:c@sha256:d', 'registry', 'quay.io/a/b:c@sha256:d', 'docker://quay.io/a/b:c@sha256:d'],
  ['registry:quay.io/a/b', 'registry', 'quay.io/a/b', 'docker://quay.io/a/b'],
  ['oci:/path/to/oci:v1', 'oci', '/path/to/oci:v1'],
  ['oci-archive:/a.tar:b', 'oci-archive', '/a.tar:b'],
  ['docker-archive:a.tar', 'docker-archive', 'a.tar'],
  ['containers-storage:sha256:abc', 'containers-storage', 'sha256:abc'],
  ['containers-storage:[overlay@/x]name', 'containers-storage', '[overlay@/x]name'],
  ['dir:/a', 'dir', '/a'],
  ['docker-daemon:sha256:abc', 'docker-daemon', 'sha256:abc'],
] as const;

for (const [text, transport, name, formatted] of valid) {
  test(`${text} is an image reference`, () => {
    const reference = parseImageReference(text);
    assert.deepEqual(reference, { transport, name });
    assert.equal(formatImageReference(reference), formatted ?? text);
  });
}

const invalid = [
  ['', "Missing ':' in "],
  ['nocolon', "Missing ':' in nocolon"],
  ['foo://bar', 'Invalid transport: foo'],
  ['foo:bar', 'Invalid transport: foo'],
  ['OCI:x', 'Invalid transport: OCI'],
  [':x', 'Invalid transport: '],
  ['docker:blah', 'Missing // in docker:// in docker:blah'],
  ['docker:', 'Missing // in docker:// in docker:'],
  ['docker://', 'Invalid empty name in docker://'],
  ['registry:', 'Invalid empty name in registry:'],
  ['oci:', 'Invalid empty name in oci:'],
] as const;

for (const [text, message] of invalid) {
  test(`'${text}' is no image reference`, () => {
    assert.throws(
      () => parseImageReference(text),
      (error) => {
        assert.ok(error instanceof ImageReferenceError);
        assert.equal(error.message, message);
        assert.equal(error.code, 'INVALID_IMAGE_REFERENCE');
        return true;
      },
    );
  });
}

const layouts: readonly (readonly [string, string, string?])[] = [
  ['/path/to/oci', '/path/to/oci'],
  ['ocidir', 'ocidir'],
  ['/path/to/oci:v1.0.0', '/path/to/oci', 'v1.0.0'],
  ['C:/path/to/oci', 'C:/path/to/oci'],
  ['C:/path/to/oci:latest', 'C:/path/to/oci', 'latest'],
  ['/path/to/oci:tag:with:colons', '/path/to/oci:tag:with', 'colons'],
  ['/path/to/oci:', '/path/to/oci', ''],
  ['/path:middle/to/oci', '/path:middle/to/oci'],
  ['/path:middle/to/oci:tag', '/path:middle/to/oci', 'tag'],
];

for (const [name, path, tag] of layouts) {
  test(`the layout reference ${name} splits`, () => {
    assert.deepEqual(parseOciLayoutRef(name), tag === undefined ? { path } : { path, tag });
  });
}

test('the reference of an archive splits at the first colon', () => {
  assert.deepEqual(parseArchiveRef('/a.tar'), { path: '/a.tar' });
  assert.deepEqual(parseArchiveRef('/a.tar:docker.io/library/x:latest'), {
    path: '/a.tar',
    tag: 'docker.io/library/x:latest',
  });
});

test('the reference of a Docker archive names a tag or a position', () => {
  const cases: [string, object][] = [
    ['a.tar', { path: 'a.tar' }],
    ['/x/a.tar:app', { path: '/x/a.tar', tag: 'app' }],
    ['a.tar:quay.io/x/y:z', { path: 'a.tar', tag: 'quay.io/x/y:z' }],
    ['a.tar:@0', { path: 'a.tar', index: 0 }],
    ['a.tar:@12', { path: 'a.tar', index: 12 }],
  ];
  for (const [text, parsed] of cases) assert.deepEqual(parseDockerArchiveRef(text), parsed);
  const split = { path: 'b:c.tar', tag: '@3' };
  assert.deepEqual(parseDockerArchiveRef('b:c.tar:@3', split), { path: 'b:c.tar', index: 3 });
  for (const text of ['a.tar:@', 'a.tar:@-1', 'a.tar:@1.5', 'a.tar:@1234567890']) {
    assert.throws(() => parseDockerArchiveRef(text), { code: 'INVALID_IMAGE_REFERENCE' });
  }
});

test('any reference comes back from its text', () => {
  const transports = ['registry', 'oci', 'oci-archive', 'docker-archive', 'containers-storage', 'dir', 'docker-daemon'];
  const others = ['atomic', 'ostree', 'sif', 'tarball'];
  const transport = fc.constantFrom<Transport>(...([...transports, ...others] as Transport[]));
  fc.assert(
    fc.property(transport, fc.string({ minLength: 1 }), (given, name) => {
      const reference = { transport: given, name };
      assert.deepEqual(parseImageReference(formatImageReference(reference)), reference);
    }),
  );
});
