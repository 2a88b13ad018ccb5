import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadPolicy } from '../../../src/oci/signatures/load-policy.js';
import { parsePolicy } from '../../../src/oci/signatures/policy.js';
import { configIn } from '../registry/config-fixtures.js';

const ACCEPT = '[{"type":"insecureAcceptAnything"}]';

function parse(text: string): ReturnType<typeof parsePolicy> {
  return parsePolicy(Buffer.from(text), 'policy.json');
}

function withRequirement(requirement: string): string {
  return `{"default":[${requirement}]}`;
}

test('a policy has a default, and requirements by transport and scope', () => {
  const policy = parse(
    `{"default":[{"type":"reject"}],"transports":{"docker":{"":${ACCEPT},"a.b":${ACCEPT}},"own":{"x":${ACCEPT}}}}`,
  );
  assert.deepEqual(policy.default, [{ type: 'reject' }]);
  assert.deepEqual([...(policy.transports.get('docker')?.keys() ?? [])], ['', 'a.b']);
  assert.deepEqual(policy.transports.get('own')?.get('x'), [{ type: 'insecureAcceptAnything' }]);
});

test('keys of sigstoreSigned come from files or from the policy', () => {
  const parsed = (fields: string): unknown => parse(withRequirement(`{"type":"sigstoreSigned",${fields}}`)).default[0];
  const keys = (paths: string[], data: string[]): unknown => ({
    type: 'sigstoreSigned',
    keys: { paths, data: data.map((text) => Buffer.from(text)) },
    signedIdentity: { type: 'matchRepoDigestOrExact' },
  });
  assert.deepEqual(parsed('"keyPath":"/k"'), keys(['/k'], []));
  assert.deepEqual(parsed('"keyPaths":["/k","/l"]'), keys(['/k', '/l'], []));
  assert.deepEqual(parsed('"keyData":"aGk="'), keys([], ['hi']));
  assert.deepEqual(parsed('"keyDatas":["aGk=","aG8="]'), keys([], ['hi', 'ho']));
});

test('requirements that cannot be checked are valid, and never met', () => {
  for (const requirement of [
    '{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k"}',
    '{"type":"signedBaseLayer","baseLayerIdentity":{"type":"matchRepository"}}',
    '{"type":"sigstoreSigned","fulcio":{},"rekorPublicKeyData":"aGk="}',
    '{"type":"sigstoreSigned","keyPath":"/k","rekorPublicKeyPath":"/r"}',
    '{"type":"sigstoreSigned","pki":{}}',
  ]) {
    assert.equal(parse(withRequirement(requirement)).default[0]?.type, 'unsupported');
  }
});

const INVALID: readonly (readonly [text: string, reason: RegExp])[] = [
  ['', /invalid JSON/],
  ['[]', /the policy is not an object/],
  ['{}', /the policy has no field 'default'/],
  [`{"default":${ACCEPT},"defaults":${ACCEPT}}`, /the policy has the unknown field 'defaults'/],
  [`{"default":${ACCEPT},"default":${ACCEPT}}`, /duplicate key "default"/],
  ['{"default":[]}', /'default' has no requirements/],
  ['{"default":{}}', /'default' is not an array/],
  [withRequirement('{}'), /requirement 1 of 'default' has no type/],
  [withRequirement('{"type":"accept"}'), /unknown type 'accept'/],
  [withRequirement('{"type":"reject","x":1}'), /unknown field 'x'/],
  [withRequirement('{"type":"sigstoreSigned"}'), /needs exactly one of keyPath/],
  [withRequirement('{"type":"sigstoreSigned","keyPath":"/k","keyData":"aGk="}'), /needs exactly one of/],
  [withRequirement('{"type":"sigstoreSigned","keyPath":7}'), /'keyPath' of requirement 1 of 'default' is not text/],
  [withRequirement('{"type":"sigstoreSigned","keyPaths":[]}'), /'keyPaths' .* is not text/],
  [withRequirement('{"type":"sigstoreSigned","keyData":"a"}'), /is not base64/],
  [withRequirement('{"type":"sigstoreSigned","keyPath":"/k","keypath":"/k"}'), /unknown field 'keypath'/],
  [withRequirement('{"type":"sigstoreSigned","keyPath":"/k","signedIdentity":{"type":"any"}}'), /unknown type/],
  [
    withRequirement('{"type":"sigstoreSigned","keyPath":"/k","signedIdentity":{"type":"matchExact","x":1}}'),
    /unknown field 'x'/,
  ],
  [
    withRequirement(
      '{"type":"sigstoreSigned","keyPath":"/k","signedIdentity":{"type":"exactReference","dockerReference":"a.b/c"}}',
    ),
    /has neither tag nor digest/,
  ],
  [
    withRequirement(
      '{"type":"sigstoreSigned","keyPath":"/k","signedIdentity":{"type":"exactRepository","dockerRepository":"a.b/c:1"}}',
    ),
    /has a tag or digest/,
  ],
  [
    withRequirement(
      '{"type":"sigstoreSigned","keyPath":"/k","signedIdentity":{"type":"remapIdentity","prefix":"busybox","signedPrefix":"a/b"}}',
    ),
    /'a\/b' .* is neither host/,
  ],
  [`{"default":${ACCEPT},"transports":[]}`, /'transports' is not an object/],
  [`{"default":${ACCEPT},"transports":{"dir":{"/":${ACCEPT}}}}`, /scope '\/' of transport 'dir': use ''/],
  [`{"default":${ACCEPT},"transports":{"oci":{"a/b":${ACCEPT}}}}`, /must be an absolute path/],
  [`{"default":${ACCEPT},"transports":{"oci":{"/a/../b":${ACCEPT}}}}`, /not in its simplest form/],
  [`{"default":${ACCEPT},"transports":{"oci":{"/a/":${ACCEPT}}}}`, /not in its simplest form/],
];

for (const [text, reason] of INVALID) {
  test(`the policy ${text.slice(0, 90)} is refused as a whole`, () => {
    assert.throws(() => parse(text), { code: 'INVALID_POLICY', message: reason });
  });
}

test("the named file counts, else the user's, else the system's, else there is none", (t) => {
  const files: Record<string, string> = { named: withRequirement('{"type":"reject"}') };
  assert.equal(loadPolicy(undefined, configIn(t, files)), undefined);
  files['etc/containers/policy.json'] = `{"default":${ACCEPT}}`;
  const system = configIn(t, files);
  assert.equal(loadPolicy(undefined, system)?.origin, join(system.root, 'etc/containers/policy.json'));
  files['home/.config/containers/policy.json'] = `{"default":${ACCEPT}}`;
  const user = configIn(t, files);
  assert.equal(loadPolicy(undefined, user)?.origin, join(user.root, 'home/.config/containers/policy.json'));
  assert.deepEqual(loadPolicy(join(user.root, 'named'), user)?.default, [{ type: 'reject' }]);
  assert.throws(() => loadPolicy(join(user.root, 'none'), user), { code: 'POLICY_UNREADABLE', message: /none/ });
});
