import assert from 'node:assert/strict';
import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { sha256ContentDigest } from '../../../src/oci/model/digest.js';
import { checkPolicy, type PolicySubject } from '../../../src/oci/signatures/check-policy.js';
import { parsePolicy } from '../../../src/oci/signatures/policy.js';
import { otherIdentity, pathIdentity } from '../../../src/oci/signatures/policy-scope.js';
import { tempDir } from '../../support/paths.js';
import { attached, payloadFor, type Signer, signer, signPayload, subject } from './signing-fixtures.js';

const DIGEST = sha256ContentDigest(Buffer.from('manifest'));
const OTHER = sha256ContentDigest(Buffer.from('other'));
const ACCEPT = [{ type: 'insecureAcceptAnything' }];
const REJECT = [{ type: 'reject' }];

async function isAccepted(policy: unknown, checked: PolicySubject): Promise<boolean> {
  return (await reason(policy, checked)) === undefined;
}

/** Why the policy refuses; undefined if it does not. */
async function reason(policy: unknown, checked: PolicySubject): Promise<string | undefined> {
  try {
    await checkPolicy(parsePolicy(Buffer.from(JSON.stringify(policy)), 'policy.json'), checked);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error && error.code === 'POLICY_REJECTED', String(error));
    return error.message.replace(/^.* is refused by the signature policy policy\.json: /, '');
  }
}

test('the most special scope of an image in a registry decides', async () => {
  const order = ['a.b:5000/ns/app:1', 'a.b:5000/ns/app', 'a.b:5000/ns', 'a.b:5000', '*.b', ''];
  for (const [i, decisive] of order.entries()) {
    const docker = Object.fromEntries(order.slice(i).map((scope) => [scope, scope === decisive ? ACCEPT : REJECT]));
    assert.ok(
      await isAccepted({ default: REJECT, transports: { docker } }, subject('a.b:5000/ns/app:1', DIGEST)),
      decisive,
    );
  }
  assert.ok(await isAccepted({ default: ACCEPT, transports: { oci: { '': REJECT } } }, subject('a.b/c', DIGEST)));
  assert.equal(await reason({ default: REJECT }, subject('a.b/c', DIGEST)), 'it rejects all such images');
});

test('scopes are complete names, and end where a part of the name ends', async () => {
  const policy = (scope: string): unknown => ({ default: REJECT, transports: { docker: { [scope]: ACCEPT } } });
  assert.ok(await isAccepted(policy('docker.io/library/busybox'), subject('busybox', DIGEST)));
  assert.ok(!(await isAccepted(policy('busybox'), subject('busybox', DIGEST))));
  assert.ok(!(await isAccepted(policy('a.b/n'), subject('a.b/ns/app', DIGEST))));
  assert.ok(!(await isAccepted(policy('a.b'), subject('a.b:5000/app', DIGEST))));
  assert.ok(await isAccepted(policy('*.example.com'), subject('x.y.example.com:5000/app', DIGEST)));
  assert.ok(await isAccepted(policy('*.com'), subject('example.com/app', DIGEST)));
  assert.ok(!(await isAccepted(policy('*.example.com'), subject('example.com/app', DIGEST))));
});

test('a tag beside a digest does not count: an image is not accepted for the name that it is given', async () => {
  const policy = { default: REJECT, transports: { docker: { 'a.b/c:good': ACCEPT, [`a.b/c@${DIGEST}`]: ACCEPT } } };
  assert.ok(await isAccepted(policy, subject('a.b/c:good', DIGEST)));
  assert.ok(await isAccepted(policy, subject(`a.b/c:good@${DIGEST}`, DIGEST)));
  assert.ok(!(await isAccepted(policy, subject(`a.b/c:good@${OTHER}`, OTHER))));
});

test('scopes of directories are their real paths and the directories above', async (t) => {
  const root = realpathSync(tempDir(t));
  mkdirSync(join(root, 'images/one'), { recursive: true });
  symlinkSync('images', join(root, 'link'));
  const policy = (scope: string): unknown => ({
    default: REJECT,
    transports: { oci: { [scope]: ACCEPT, '': REJECT } },
  });
  const one = subject(pathIdentity('oci', join(root, 'link/one')), DIGEST);
  assert.ok(await isAccepted(policy(join(root, 'images/one')), one));
  assert.ok(await isAccepted(policy(join(root, 'images')), one));
  assert.ok(await isAccepted(policy(root), one));
  assert.ok(!(await isAccepted(policy(join(root, 'link')), one)));
  assert.ok(!(await isAccepted(policy(join(root, 'images/on')), one)));
  assert.ok(!(await isAccepted(policy(root), subject(pathIdentity('dir', root), DIGEST))));
});

test('where the scopes of a transport are not known, a policy that has such scopes refuses', async () => {
  const storage = subject(otherIdentity('containers-storage', 'containers-storage:x'), DIGEST);
  assert.ok(await isAccepted({ default: ACCEPT }, storage));
  assert.ok(await isAccepted({ default: REJECT, transports: { 'containers-storage': { '': ACCEPT } } }, storage));
  const scoped = { default: ACCEPT, transports: { 'containers-storage': { '': ACCEPT, '[overlay@/x]x': REJECT } } };
  assert.match((await reason(scoped, storage)) ?? '', /scopes of the transport 'containers-storage' are not supported/);
  const archive = subject(otherIdentity('docker-archive', 'docker-archive:x'), DIGEST);
  assert.ok(
    await isAccepted({ default: REJECT, transports: { 'docker-archive': { '': ACCEPT, x: REJECT } } }, archive),
  );
});

test('all requirements must be met', async () => {
  assert.ok(!(await isAccepted({ default: [...ACCEPT, ...REJECT] }, subject('a.b/c', DIGEST))));
  const signedBy = [...ACCEPT, { type: 'signedBy', keyType: 'GPGKeys', keyPath: '/k' }];
  assert.equal(
    await reason({ default: signedBy }, subject('a.b/c', DIGEST)),
    "it requires signatures of the type 'signedBy', which cannot be checked",
  );
});

function signed(by: readonly Signer[], signedIdentity?: unknown): unknown {
  const keyDatas = by.map(({ pem }) => Buffer.from(pem).toString('base64'));
  return { default: [{ type: 'sigstoreSigned', keyDatas, ...(signedIdentity !== undefined && { signedIdentity }) }] };
}

const KEY = signer('p256');
const STRANGER = signer('p256');

for (const type of ['p256', 'p384', 'rsa', 'ed25519'] as const) {
  test(`a signature with a key of the type ${type} is accepted`, async () => {
    const key = signer(type);
    const one = subject('a.b/c:1', DIGEST, [attached(key, DIGEST, 'a.b/c:1')]);
    assert.ok(await isAccepted(signed([key]), one));
    assert.ok(await isAccepted(signed([STRANGER, key]), one));
    assert.equal(await reason(signed([STRANGER]), one), 'a signature is not by a key of the policy');
  });
}

test('an image without a signature is refused', async () => {
  assert.equal(await reason(signed([KEY]), subject('a.b/c', DIGEST)), 'a signature is required, and there is none');
});

test('one good signature among bad ones is enough; all reasons are told otherwise', async () => {
  const bad = [
    attached(STRANGER, DIGEST, 'a.b/c:1'),
    attached(KEY, OTHER, 'a.b/c:1'),
    attached(KEY, DIGEST, 'a.b/x:1'),
  ];
  assert.equal(
    await reason(signed([KEY]), subject('a.b/c:1', DIGEST, bad)),
    `a signature is not by a key of the policy; a signature is for another image, ${OTHER}; ` +
      "a signature is for another name, 'a.b/x:1'",
  );
  assert.ok(await isAccepted(signed([KEY]), subject('a.b/c:1', DIGEST, [...bad, attached(KEY, DIGEST, 'a.b/c:1')])));
});

test('the signatures are fetched once, for the digest of the manifest, and only if they are needed', async () => {
  const asked: string[] = [];
  const one: PolicySubject = {
    ...subject('a.b/c:1', DIGEST),
    fetchSignatures: async (digest) => {
      asked.push(digest);
      return [attached(KEY, DIGEST, 'a.b/c:1')];
    },
  };
  assert.ok(await isAccepted({ default: ACCEPT }, one));
  assert.deepEqual(asked, []);
  const { default: requirements } = signed([KEY]) as { default: unknown[] };
  assert.ok(await isAccepted({ default: [...requirements, ...requirements] }, one));
  assert.deepEqual(asked, [DIGEST]);
});

const IDENTITIES: readonly (readonly [identity: unknown, image: string, accepted: string[], refused: string[]])[] = [
  [undefined, 'a.b/c:1', ['a.b/c:1'], ['a.b/c', 'a.b/c:2', 'a.b/d:1', `a.b/c@${DIGEST}`, 'C', '']],
  [undefined, `a.b/c@${DIGEST}`, ['a.b/c:1', `a.b/c@${DIGEST}`], ['a.b/c', 'a.b/d:1']],
  [{ type: 'matchExact' }, 'busybox', ['busybox:latest', 'docker.io/library/busybox:latest'], ['busybox', 'busybox:1']],
  [{ type: 'matchExact' }, `a.b/c@${DIGEST}`, [`a.b/c@${DIGEST}`], ['a.b/c:1', 'a.b/c']],
  [{ type: 'matchRepository' }, 'a.b/c:1', ['a.b/c', 'a.b/c:2', `a.b/c@${DIGEST}`], ['a.b/c/d', 'a.b/d']],
  [{ type: 'exactReference', dockerReference: 'x.y/z:9' }, 'a.b/c:1', ['x.y/z:9'], ['x.y/z', 'a.b/c:1', 'x.y/z:8']],
  [{ type: 'exactRepository', dockerRepository: 'x.y/z' }, 'a.b/c:1', ['x.y/z', 'x.y/z:8'], ['a.b/c:1', 'x.y/zz']],
  [
    { type: 'remapIdentity', prefix: 'a.b', signedPrefix: 'vendor.io/x' },
    'a.b/c:1',
    ['vendor.io/x/c:1'],
    ['a.b/c:1', 'vendor.io/x/c:2', 'vendor.io/x/c'],
  ],
  [
    { type: 'remapIdentity', prefix: 'a.b/c', signedPrefix: 'vendor.io' },
    'a.b/cd:1',
    ['a.b/cd:1'],
    ['vendor.iod:1', 'vendor.io/d:1'],
  ],
  [{ type: 'remapIdentity', prefix: 'a.b', signedPrefix: 'v.io' }, 'a.b:5000/c:1', ['a.b:5000/c:1'], ['v.io:5000/c:1']],
  [
    { type: 'remapIdentity', prefix: 'a.b/c', signedPrefix: 'v.io/d' },
    `a.b/c@${DIGEST}`,
    ['v.io/d:7'],
    ['v.io/d', 'a.b/c:7'],
  ],
];

for (const [identity, image, accepted, refused] of IDENTITIES) {
  const name = JSON.stringify(identity) ?? 'the default identity';
  test(`${name} of ${image.slice(0, 20)} compares names`, async () => {
    for (const [names, expected] of [
      [accepted, true],
      [refused, false],
    ] as const) {
      for (const signedName of names) {
        const one = subject(image, DIGEST, [attached(KEY, DIGEST, signedName)]);
        assert.equal(await isAccepted(signed([KEY], identity), one), expected, signedName);
      }
    }
  });
}

test('an image without a name needs an exact identity', async () => {
  const one = { ...subject(pathIdentity('oci', '/x/y'), DIGEST, [attached(KEY, DIGEST, 'a.b/c:1')]) };
  assert.ok(!(await isAccepted(signed([KEY]), one)));
  assert.ok(!(await isAccepted(signed([KEY], { type: 'matchRepository' }), one)));
  assert.ok(await isAccepted(signed([KEY], { type: 'exactRepository', dockerRepository: 'a.b/c' }), one));
});

test('a signed payload with other fields than the known ones is not understood', async () => {
  const check = async (change: (payload: { [key: string]: unknown }) => void): Promise<string | undefined> => {
    const document = JSON.parse(payloadFor(DIGEST, 'a.b/c:1').toString());
    change(document);
    const payload = Buffer.from(JSON.stringify(document));
    const one = subject('a.b/c:1', DIGEST, [{ payload, signature: signPayload(KEY, payload), annotations: {} }]);
    return await reason(signed([KEY]), one);
  };
  assert.equal(await check(() => undefined), undefined);
  assert.equal(
    await check((payload) => Object.assign(payload, { optional: { creator: 'x', timestamp: 1, own: {} } })),
    undefined,
  );
  for (const change of [
    { extra: 1 },
    { optional: { timestamp: 1.5 } },
    { optional: [] },
    { critical: {} },
    { critical: { type: 'atomic container signature', image: {}, identity: {} } },
  ]) {
    assert.match((await check((payload) => Object.assign(payload, change))) ?? '', /payload that is not understood/);
  }
});

test('no change of a bit in payload or signature is accepted', async () => {
  const good = attached(KEY, DIGEST, 'a.b/c:1');
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.nat(), fc.integer({ min: 0, max: 7 }), async (inPayload, at, bit) => {
      const changed = Buffer.from(inPayload ? good.payload : good.signature);
      const index = at % changed.length;
      changed[index] = (changed[index] ?? 0) ^ (1 << bit);
      const bad = inPayload ? { ...good, payload: changed } : { ...good, signature: changed };
      assert.ok(!(await isAccepted(signed([KEY]), subject('a.b/c:1', DIGEST, [bad]))));
    }),
    { numRuns: 200 },
  );
});

test('keys in files are read when they are needed, and must be public keys', async (t) => {
  const root = tempDir(t);
  const path = join(root, 'key.pub');
  const policy = { default: [{ type: 'sigstoreSigned', keyPath: path }] };
  const one = subject('a.b/c:1', DIGEST, [attached(KEY, DIGEST, 'a.b/c:1')]);
  const check = async (): Promise<void> =>
    checkPolicy(parsePolicy(Buffer.from(JSON.stringify(policy)), 'policy.json'), one);
  await assert.rejects(check(), { code: 'INVALID_PUBLIC_KEY', message: `${path}: cannot be read` });
  writeFileSync(path, KEY.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await assert.rejects(check(), { code: 'INVALID_PUBLIC_KEY', message: /is not one PEM public key/ });
  writeFileSync(path, `${KEY.pem}${STRANGER.pem}`);
  await assert.rejects(check(), { code: 'INVALID_PUBLIC_KEY', message: /is not one PEM public key/ });
  writeFileSync(
    path,
    KEY.pem
      .replace(/[A-Za-z]/g, 'A')
      .replace(/^.*$/m, '-----BEGIN PUBLIC KEY-----')
      .replace(/\n-+.*-+\n$/, '\n-----END PUBLIC KEY-----\n'),
  );
  await assert.rejects(check(), { code: 'INVALID_PUBLIC_KEY', message: /is not a public key/ });
  writeFileSync(path, KEY.pem);
  await check();
});
