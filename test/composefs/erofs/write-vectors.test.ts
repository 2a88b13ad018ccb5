import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FormatVersion } from '../../../src/composefs/erofs/format/constants.js';
import { writeErofs } from '../../../src/composefs/erofs/index.js';
import { computeVerity } from '../../../src/composefs/fsverity/digest.js';
import { parseObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { parseCDumpfile } from '../../../src/composefs/mkcomposefs/c-parser.js';
import { sha256 } from '../../support/sha256.js';
import { DUMPFILES, IMAGE_VECTORS } from './image-vectors.js';
import {
  assertImage,
  directory,
  image,
  inline,
  leaf,
  ROOT,
  simpleTree,
  stat,
  tree,
  WHITEOUT,
  write,
  xattrs,
} from './support.js';

/** Spec 20 §14.1. */
const PINNED: readonly [
  tree: 'empty' | 'simple',
  version: FormatVersion,
  size: number,
  sha256: string,
  verity: string,
][] = [
  [
    'empty',
    0,
    16384,
    'c3dc5b0fc4afb0693a95e017fe5815e1f88f204d485df617541b5ea659aefb8b',
    '8f589e8f57ecb88823736b0d857ddca1e1068a23e264fad164b28f7038eb3682',
  ],
  [
    'simple',
    0,
    16384,
    '850f94a6374fc4a920e8bc65d10bac1d1e2f3dd7b5c203d351e3ed74c08398aa',
    '9f3f5620ee0c54708516467d0d58741e7963047c7106b245d94c298259d0fa01',
  ],
  [
    'empty',
    1,
    16384,
    '18e13c704e2aae7f84be9fda89fdc4c5001c184d279b90a93434e872e5e7c190',
    '14a26c957c84f6eb774b91205476adc13196c7c33b9dd97d08d43725ecb90b63',
  ],
  [
    'simple',
    1,
    16384,
    'c2ef36f4493efe3d15c85789b2ead2b0ece9917ef663339484c8ae35927bc1a1',
    'ad6db6427568a1e4fdc772cbab7b6063f5eb4b33cb62982a740ba9213e5962b5',
  ],
  [
    'empty',
    2,
    4096,
    '1cc80c021ae1b35fd70913e82854b0c4ac9046a6774f746c0cbb963ede54af45',
    '086b702a519b57d6ef5aea6f8b3f2be24355cd1fb835cd80fb4e3d388b24d5a5',
  ],
  [
    'simple',
    2,
    4096,
    'ad78678b31ec64586d235a68a2ab28a7d0a8440b191f5eb17dbacfdc59f3a7da',
    'a8fcd41f8b313bede69f462f2af0a38d64b99a6333f5df884ea9ab4037fac722',
  ],
];

for (const [kind, version, size, digest, verity] of PINNED) {
  test(`the V${version} image of the tree "${kind}" has its pinned digest`, () => {
    assertImage(write(kind === 'empty' ? directory() : simpleTree(), version), { size, sha256: digest, verity });
  });
}

const SPECIAL = [
  '/ 4096 40555 2 0 0 0 1633950376.0 - - - trusted.foo1=bar-1 user.foo2=bar-2',
  '/blockdev 0 60777 1 0 0 107690 1633950376.0 - - - trusted.bar=bar-2',
  '/chardev 0 20777 1 0 0 10769 1633950376.0 - - - trusted.foo=bar-2',
  '/escaped-xattr 0 100777 1 0 0 0 1633950376.0 - - - trusted.overlay.redirect=/foo\\n user.overlay.redirect=/foo\\n user.foo=bar-2',
  '/fifo 0 10777 1 0 0 0 1633950376.0 - - - trusted.bar=bar-2',
  '/inline 15 100777 1 0 0 0 1633950376.0 - FOOBAR\\nINAFILE\\n - user.foo=bar-2',
  '/whiteout 0 20777 1 0 0 0 1633950376.0 - - - trusted.foo=bar-2',
];

test('the dumpfile special_v1 has its pinned digests', () => {
  assertImage(image(1, ...SPECIAL), {
    size: 16384,
    sha256: '0903cda0695f4086ab587609876f4743e7aadd8a849c22cc599ac60943ee0616',
    verity: 'b1c78c25db8638be5b9b483472d32ee9624d8d32ded626a91cd536116e8df97c',
  });
  assertImage(image(0, ...SPECIAL), {
    size: 16384,
    sha256: '22484dec90e2fff32bf683ed55df233f7a7513ffedbf54262c3ff22a70c8a198',
    verity: 'ca8f91c7a310308bb5737cf1ab1d06395f83a2d9266423bfe5fe2b5f2c4e4218',
  });
});

test('the tree of the OCI layout test has its pinned SHA-512 ids', () => {
  const fields = { mtimeSec: 1_234_567_890 };
  const hello = leaf(inline('hello from test layer\n'), stat(0o644, fields));
  const usr = directory({}, stat(0o755, fields));
  const root = directory({ usr, 'hello.txt': hello, 'hello-link.txt': hello }, stat(0o755, fields));
  const id = (version: FormatVersion): string =>
    computeVerity('sha512', writeErofs(root, { version, algorithm: 'sha512' }));
  assert.equal(
    id(2),
    'f7684c21050615c02cec250e0c7d4118fb0ff6340af5039e06f2f372a7614fff25dfd38cf7f28ad67d8b86e86371b7deafa9ae4bf543630322aee6196417de92',
  );
  assert.equal(
    id(1),
    'd06f1f6a73f62ed48e05ce9442ff045cdf2a9f5ba1ec623795de3d6177a253d91076459795d94f55d8c3d71dab458bb3fc0071255a50c0a4896d86ffdc870b9a',
  );
});

for (const { id, version, size, sha256: digest, verity } of IMAGE_VECTORS) {
  test(`the V${version} image of dumpfile ${id} is as recorded`, () => {
    const lines = DUMPFILES[id] ?? [];
    const isBeyondRs = id === 'T19' || id === 'T20';
    const root = isBeyondRs ? parseCDumpfile(Buffer.from(`${lines.join('\n')}\n`)) : tree(...lines);
    assertImage(write(root, version), { size, sha256: digest, verity });
  });
}

const SHA512: readonly [version: FormatVersion, size: number, sha256: string, verity: string][] = [
  [
    0,
    16384,
    '76b8b01c9c5512e9aeb20985187795c589fc53f43da6153582777b106295e250',
    '5d0d230617a45bc496f1707fa6b5512b5bbbb82498e59a76273c95067dd057a237d50f3388c1bca699744c12ea36a6ebf03d5eab389dd02b665b3fc2b207f7e2',
  ],
  [
    1,
    16384,
    'e61be60bb45b2b19a11f04332f4be5771ebeb3eda23bbc7904dcbbb8e6ecc3c5',
    'd7b69ee44bdb00a1dd13a8a060f257b1f57119749cf0feee862864612b48828e05e99746bb6504f1873e700ea090cf2d19f2a515d0d43269810f9211d30f84a3',
  ],
  [
    2,
    4096,
    '577beafb6764ba4357262ea397fa30b4ae311c716541d6a5515a14073f505cd3',
    '793d1947bc049a74fa4a5cc54ad9735a49d82064e6a0c6bffa0fa693539f3d29e5020a26fa09ebd3c4001ee2571c63db4fdfbc89b408574a79d1d9a8ed14272b',
  ],
];

for (const [version, size, digest, verity] of SHA512) {
  test(`the V${version} image of an external file with a SHA-512 digest is as recorded`, () => {
    const id = parseObjectId('sha512', 'a'.repeat(128));
    const root = directory({ x: leaf({ type: 'regular', file: { storage: 'external', id, size: 70000 } }) });
    const data = writeErofs(root, { version, algorithm: 'sha512' });
    assertImage(data, { size, sha256: digest });
    assert.equal(computeVerity('sha512', data), verity);
  });
}

/** Spec 20 §16: the same dumpfile as composefs-rs (default) and as C writes it. */
function bothWays(version: FormatVersion, ...lines: string[]): { rust: string; c: string } {
  const root = parseCDumpfile(Buffer.from(`${lines.join('\n')}\n`));
  return { rust: sha256(image(version, ...lines)), c: sha256(write(root, version, { dialect: 'mkcomposefs' })) };
}

test('a whiteout that looks like a stub stays one, or is escaped as C does', () => {
  assert.deepEqual(bothWays(1, ROOT, '/ab 0 20644 1 0 0 0 0.0 - - -'), {
    rust: sha256(image(1, ROOT)),
    c: 'fde55c3e6b41b67b5bbb50317292d9bcf3da23d2081bad15a99ff64e7513de4b',
  });
});

test('marker xattrs that already exist are replaced, never doubled', () => {
  const expected = 'cc7918bf5d16b2ba3e3d5b3e83d0f82761dd100cb2f863598925e67ecc520f04';
  const lines = [
    '/ 0 40755 3 0 0 0 0.0 - - -',
    '/d 0 40755 2 0 0 0 0.0 - - - trusted.overlay.opaque=y',
    '/d/w 0 20644 1 0 0 0 0.0 - - -',
  ];
  assert.deepEqual(bothWays(1, ...lines), { rust: expected, c: expected });
});

test('a hard link is numbered by path, or by the defining line as C does', () => {
  assert.deepEqual(bothWays(0, ROOT, '/z 1 100644 2 0 0 0 0.0 - x -', '/a 0 @100644 2 0 0 0 0.0 /z - -'), {
    rust: 'b936853a93f152a20c196445fb7569d4c1e59d0f1b5bcaf4357587d4eb165249',
    c: 'efa225f776f4bfab3552e4ac6579323cc6a69ddee23734911240372d2679fc7c',
  });
});

test('an external file of size 0 is chunk-based, or plain as C does', () => {
  const digest = '70a9125438f7255245f596c54cebb6621cb9a64f062752cf26763c1b690e7340';
  const line = `/e 0 100644 1 0 0 0 0.0 70/${digest.slice(2)} - ${digest}`;
  const expected = {
    rust: 'cd1c691594f100b24a237a036f340e57268eaf883004faf3fb350db65da109d6',
    c: '97dcedf10d9bdda186d06814acbd86ecc9e66bacb4d19478063878ac2a27e92c',
  };
  assert.deepEqual(bothWays(0, ROOT, line), expected);
  const file = leaf({ type: 'regular', file: { storage: 'external', id: parseObjectId('sha256', digest), size: 0 } });
  assert.equal(sha256(write(directory({ e: file }), 0, { dialect: 'mkcomposefs' })), expected.c);
});

test('writing V1 does not change the tree that V2 is written from', () => {
  const root = tree(...SPECIAL);
  const before = [...root.names()];
  const v2 = write(root, 2);
  write(root, 1);
  write(root, 0);
  assert.deepEqual(root.names(), before);
  assert.ok(write(root, 2).equals(v2));
});

test('xattrs are shared by value, whatever objects hold them', () => {
  const one = directory(
    { a: leaf(WHITEOUT, stat(0o600, { xattrs: xattrs({ 'user.a': '1' }) })) },
    stat(0o755, { xattrs: xattrs({ 'user.a': '1' }) }),
  );
  const map = xattrs({ 'user.a': '1' });
  const two = directory({ a: leaf(WHITEOUT, stat(0o600, { xattrs: map })) }, stat(0o755, { xattrs: map }));
  for (const version of [0, 1, 2] as const) assert.ok(write(one, version).equals(write(two, version)));
});
