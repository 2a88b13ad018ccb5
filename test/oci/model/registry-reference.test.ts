import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatRegistryReference, parseRegistryReference } from '../../../src/oci/model/registry-reference.js';

const HEX = '0123456789abcdef'.repeat(4);
const DIGEST = `sha256:${HEX}`;

const ACCEPTED: readonly (readonly [text: string, complete: string])[] = [
  ['debian', 'docker.io/library/debian:latest'],
  ['docker://debian', 'docker.io/library/debian:latest'],
  ['debian:12', 'docker.io/library/debian:12'],
  ['user/app', 'docker.io/user/app:latest'],
  ['docker.io/debian', 'docker.io/library/debian:latest'],
  ['index.docker.io/debian', 'docker.io/library/debian:latest'],
  ['index.docker.io/user/app:1', 'docker.io/user/app:1'],
  ['docker.io/library/debian', 'docker.io/library/debian:latest'],
  ['localhost/app', 'localhost/app:latest'],
  ['localhost:5000/app:v1', 'localhost:5000/app:v1'],
  ['docker://registry.example.com:8443/a/b/c', 'registry.example.com:8443/a/b/c:latest'],
  ['host/app', 'docker.io/host/app:latest'],
  ['host:80/app', 'host:80/app:latest'],
  ['HOST.example/app', 'HOST.example/app:latest'],
  ['[::1]:5000/app', '[::1]:5000/app:latest'],
  [`debian@${DIGEST}`, `docker.io/library/debian@${DIGEST}`],
  [`quay.io/a/b:tag@${DIGEST}`, `quay.io/a/b:tag@${DIGEST}`],
  ['a.b/c__d/e-f/g--h/i.j_k', 'a.b/c__d/e-f/g--h/i.j_k:latest'],
  ['a.b/c:_x.Y-Z', 'a.b/c:_x.Y-Z'],
  [`a.b/c:${'t'.repeat(128)}`, `a.b/c:${'t'.repeat(128)}`],
  [`a.b/${'n'.repeat(251)}`, `a.b/${'n'.repeat(251)}:latest`],
];

for (const [text, complete] of ACCEPTED) {
  test(`${text.slice(0, 60)} is complete as podman completes it`, () => {
    assert.equal(formatRegistryReference(parseRegistryReference(text)), complete);
  });
}

const REFUSED: readonly (readonly [text: string, reason: RegExp])[] = [
  ['', /it is empty/],
  ['docker://', /it is empty/],
  [HEX, /64 hexadecimal digits are no name/],
  ['Debian', /the name 'library\/Debian' must be in lower case/],
  ['a.b/C', /must be in lower case/],
  ['a.b/', /no name after the host/],
  ['a.b//c', /empty part in the name/],
  ['/debian', /empty part in the name/],
  ['a.b/c/', /empty part/],
  ['a.b/-c', /'-c' is not allowed in a name/],
  ['a.b/c..d', /'c\.\.d' is not allowed/],
  ['a.b/c___d', /not allowed/],
  ['a.b/c d', /not allowed/],
  ['a.b/..', /not allowed/],
  ['a.b/c:', /'' is no tag/],
  ['a.b/c:x/y', /'x\/y' is no tag/],
  ['a.b/c:.x', /'\.x' is no tag/],
  [`a.b/c:${'t'.repeat(129)}`, /is no tag/],
  ['a.b/c@sha256:12', /'sha256:12' is no digest/],
  ['a.b/c@', /'' is no digest/],
  [`a.b/c@${DIGEST}@${DIGEST}`, /is no digest/],
  ['-a.b/c', /'-a\.b' is no host name/],
  ['a.b:x/c', /'a\.b:x' is no host name/],
  ['a.b:70000/c', /'a\.b:70000' is no host name/],
  ['a_b.c/d', /is no host name/],
  ['user:pw@a.b/c', /^Invalid image reference '…@a\.b\/c': credentials are no part of it$/],
  ['docker://user:p@ss@a.b:5000/c:1', /^Invalid image reference '…@a\.b:5000\/c:1': credentials are no part of it$/],
  [`a.b/${'n'.repeat(252)}`, /longer than 255 characters/],
  ['a.b/c\n', /not allowed/],
  ['a.b/c?x', /not allowed/],
];

for (const [text, reason] of REFUSED) {
  test(`${JSON.stringify(text.slice(0, 60))} is refused`, () => {
    assert.throws(() => parseRegistryReference(text), { code: 'INVALID_IMAGE_REFERENCE', message: reason });
  });
}

test('any text is a reference that stays the same when it is parsed again, or an error', () => {
  const part = fc.stringMatching(/^[a-z0-9._:@/A-Z[\]-]{0,12}$/);
  fc.assert(
    fc.property(fc.array(part, { maxLength: 5 }), fc.constantFrom('', '/', ':', '@'), (parts, separator) => {
      const text = parts.join(separator);
      let complete: string;
      try {
        complete = formatRegistryReference(parseRegistryReference(text));
      } catch (error) {
        assert.match(String(error), /Invalid image reference/);
        return;
      }
      assert.equal(formatRegistryReference(parseRegistryReference(complete)), complete);
      assert.deepEqual(parseRegistryReference(`docker://${complete}`), parseRegistryReference(complete));
    }),
    { numRuns: 2000 },
  );
});

test('a reference keeps the parts that it was made of', () => {
  const host = fc.constantFrom('localhost', 'a.b', 'a.b:5000', '[fe80::1]:1', 'quay.io');
  const word = fc.stringMatching(/^[a-z0-9]{1,8}(?:[._-][a-z0-9]{1,4})?$/);
  const path = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join('/'));
  const tag = fc.option(fc.stringMatching(/^\w[\w.-]{0,20}$/), { nil: undefined });
  const digest = fc.option(fc.constant(DIGEST), { nil: undefined });
  fc.assert(
    fc.property(host, path, tag, digest, (host, repository, tag, digest) => {
      const text = `${host}/${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
      const parsed = parseRegistryReference(text);
      assert.equal(parsed.host, host);
      assert.equal(parsed.repository, repository);
      assert.equal(parsed.tag, tag ?? (digest === undefined ? 'latest' : undefined));
      assert.equal(parsed.digest, digest);
    }),
  );
});
