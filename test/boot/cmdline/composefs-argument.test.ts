import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ComposefsCmdline,
  imageArguments,
  makeCmdlineComposefs,
  parseDigestValue,
} from '../../../src/boot/cmdline/composefs-argument.js';
import { digestSize, type HashAlgorithm } from '../../../src/composefs/fsverity/algorithm.js';
import { parseObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { messageOf } from '../../support/failures.js';

const H256 = '8b7df143d91c716ecfa5fc1730022f6b421b05cedee8fd52b1fc65a96030ad52';
const H512 =
  '6f06b5e82420abec546d6e6d3ddd612c50cfa9b707c129345b7ec16f456b92fe35df68999b042e1a6a70dfe75f2fed8cf9f67afd0bf08d2374678d75e2f65a02';
const A256 = 'a'.repeat(64);
const B256 = 'b'.repeat(64);

// Spec 50 §27.1.
const PARSED: readonly [cmdline: string, HashAlgorithm, version: number, insecure: boolean, digest: string][] = [
  [`composefs=${H256}`, 'sha256', 2, false, H256],
  [`composefs=?${H256}`, 'sha256', 2, true, H256],
  [`composefs.digest=v1-sha256-12:${H256}`, 'sha256', 1, false, H256],
  [`composefs.digest=?v1-sha256-12:${H256}`, 'sha256', 1, true, H256],
  [`composefs.digest=v1-sha512-12:${H512}`, 'sha512', 1, false, H512],
  [`composefs.digest=v2-sha256-12:${H256}`, 'sha256', 2, false, H256],
  [`composefs.digest=?v2-sha512-12:${H512}`, 'sha512', 2, true, H512],
  [`composefs=${B256} composefs.digest=v1-sha256-12:${A256}`, 'sha256', 1, false, A256],
  [`root=UUID=abc composefs=${H256} rw`, 'sha256', 2, false, H256],
  [`composefs.digest=v1-sha512-12:${H512} composefs.digest=v1-sha256-12:${A256}`, 'sha256', 1, false, A256],
  [`composefs=${H256.toUpperCase()}`, 'sha256', 2, false, H256],
];

for (const [cmdline, algorithm, version, insecure, digest] of PARSED) {
  test(`the ${algorithm} image of ${cmdline.slice(0, 60)}`, () => {
    const found = ComposefsCmdline.fromCmdline(cmdline, algorithm);
    assert.deepEqual({ ...found }, { version, algorithm, digest, insecure });
  });
}

for (const [cmdline, algorithm] of [
  [`composefs.digest=v1-sha512-12:${H512}`, 'sha256'],
  [`composefs.digest=v1-sha256-12:${H256}`, 'sha512'],
  ['quiet splash rw', 'sha256'],
  ['', 'sha256'],
  ['root=UUID=abc rw', 'sha256'],
  ['composefs', 'sha256'],
  [`xcomposefs=${H256}`, 'sha256'],
] as const) {
  test(`no ${algorithm} image in ${JSON.stringify(cmdline.slice(0, 60))}`, () => {
    assert.equal(ComposefsCmdline.fromCmdline(cmdline, algorithm), undefined);
  });
}

test('malformed arguments are named', () => {
  const parse = (cmdline: string) => messageOf(() => ComposefsCmdline.fromCmdline(cmdline, 'sha256'));
  assert.equal(
    parse('composefs.digest=v1-sha256-12:notahex'),
    'parsing composefs.digest= hash: got 7 hex chars, expected 64 for fsverity-sha256-12: Odd number of digits',
  );
  assert.equal(
    parse('composefs=notahex'),
    'parsing composefs= hash: got 7 hex chars, expected 64 for fsverity-sha256-12: Odd number of digits',
  );
  assert.equal(
    parse(`composefs.digest=v1-sha256-8:${H256}`),
    `parsing composefs.digest= value: v1-sha256-8:${H256}: parsing algorithm from 'sha256-8': ` +
      'unsupported lg_blocksize 8 (only 12 is currently supported)',
  );
  assert.match(parse(`composefs.digest=v1-sha512-99:${H512}`), /unsupported lg_blocksize 99/);
  assert.match(parse(`composefs.digest=v3-sha256-12:${H256}`), /: unsupported format version 'v3'$/);
  // Even if a later one would do.
  assert.match(parse(`composefs.digest=x composefs=${H256}`), /expected '<version>-<hash>-<blocksize>:<hex>', got: x$/);
  assert.equal(
    messageOf(() => parseDigestValue('v1:00')),
    "expected 'v<N>-<hash>-<blocksize>', got: v1",
  );
  assert.match(
    messageOf(() => parseDigestValue('v1-md5-12:00')),
    /unsupported hash algorithm 'md5'/,
  );
});

test('arguments are rendered in the form of their version', () => {
  const render = (cmdline: string) => ComposefsCmdline.fromCmdline(cmdline, 'sha256')?.toCmdlineArg();
  for (const same of [`composefs=${H256}`, `composefs=?${H256}`, `composefs.digest=?v1-sha256-12:${H256}`]) {
    assert.equal(render(same), same);
  }
  assert.equal(render(`composefs.digest=v2-sha256-12:${H256}`), `composefs=${H256}`);
  assert.equal(makeCmdlineComposefs(H256, true, 2, 'sha256'), `composefs=?${H256}`);
  assert.equal(makeCmdlineComposefs(H256, false, 0, 'sha256'), `composefs.digest=v1-sha256-12:${H256}`);
  assert.equal(makeCmdlineComposefs(H512, true, 1, 'sha512'), `composefs.digest=?v1-sha512-12:${H512}`);
});

test('a digest is one of those that are acceptable', () => {
  const karg = new ComposefsCmdline(1, 'sha256', parseObjectId('sha256', A256));
  assert.equal(karg.validateDigest([parseObjectId('sha256', A256)]), A256);
  assert.equal(
    messageOf(() => karg.validateDigest([parseObjectId('sha256', B256), parseObjectId('sha256', H256)])),
    `The UKI has the wrong composefs digest (is 'sha256:${A256}', should be one of [sha256:${B256}, sha256:${H256}])`,
  );
});

// Spec 50 §27.2.
test('every image that a command line names, in its order', () => {
  const list = (cmdline: string) => imageArguments(cmdline).map(({ digest, insecure }) => [digest, insecure]);
  for (const none of ['', 'foo', 'composefs', 'root=UUID=abc quiet']) assert.deepEqual(list(none), []);
  for (const [cmdline, digest] of [
    [`composefs=${H256}`, H256],
    [`composefs=${H512}`, H512],
    [`composefs.digest=v1-sha256-12:${H256}`, H256],
    [`composefs.digest=v1-sha512-12:${H512}`, H512],
  ] as const) {
    assert.deepEqual(list(cmdline), [[digest, false]]);
  }
  const three = [`composefs.digest=v1-sha256-12:${H256}`, `composefs.digest=v1-sha512-12:${H512}`, `composefs=${A256}`];
  assert.deepEqual(list(three.join(' ')), [
    [H256, false],
    [H512, false],
    [A256, false],
  ]);
  assert.deepEqual(list(three.reverse().join(' ')), [
    [A256, false],
    [H512, false],
    [H256, false],
  ]);
  assert.deepEqual(list(`composefs.digest=?v1-sha256-12:${H256} composefs.digest=v1-sha512-12:${H512}`), [
    [H256, true],
    [H512, false],
  ]);
  assert.equal(
    messageOf(() => imageArguments('composefs=foo')),
    'invalid composefs= digest length: 3',
  );
  assert.match(
    messageOf(() => imageArguments('composefs.digest=v1-sha256-12:notahex')),
    /composefs.digest= hash: got 7/,
  );
});

test('the argument of any image comes back, whatever stands beside it', () => {
  const image = fc.record({
    version: fc.constantFrom(1 as const, 2 as const),
    algorithm: fc.constantFrom<HashAlgorithm>('sha256', 'sha512'),
    insecure: fc.boolean(),
    digest: fc.uint8Array({ minLength: 64, maxLength: 64 }),
  });
  const other = fc.constantFrom('quiet', 'root=/dev/vda', '"a b"', 'xcomposefs=1', 'composefs');
  fc.assert(
    fc.property(image, fc.array(other), fc.array(other), ({ version, algorithm, insecure, digest }, before, after) => {
      const hex = Buffer.from(digest).toString('hex', 0, digestSize(algorithm));
      const argument = makeCmdlineComposefs(hex, insecure, version, algorithm);
      const cmdline = [...before, argument, ...after].join(' ');
      const parsed = ComposefsCmdline.fromCmdline(cmdline, algorithm);
      assert.deepEqual({ ...parsed }, { version, algorithm, digest: hex, insecure });
      assert.equal(parsed?.toCmdlineArg(), argument);
      assert.deepEqual(imageArguments(cmdline), [{ algorithm, digest: hex, insecure }]);
    }),
  );
});
