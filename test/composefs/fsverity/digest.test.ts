import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { HashAlgorithm } from '../../../src/composefs/fsverity/algorithm.js';
import { computeVerity, computeVerityOfFd } from '../../../src/composefs/fsverity/digest.js';
import { FsVerityHasher } from '../../../src/composefs/fsverity/hasher.js';
import { withTempDir } from '../../support/paths.js';
import { withFd } from '../../support/with-fd.js';

const { COMPOSEFS_TEST_FUZZ = '300' } = process.env;

const ALGORITHMS: readonly HashAlgorithm[] = ['sha256', 'sha512'];

/** Spec 10 §2.6: text, sha256, sha512. */
const TEXT_VECTORS: readonly (readonly [text: string, sha256: string | undefined, sha512: string | undefined])[] = [
  [
    'hello world',
    '1e2eaa4202d750a41174ee454970b92c1bc2f925b1e35076d8c7d5f56362ba64',
    '18430270729d162d4e469daca123ae61893db4b0583d8f7081e3bf4f92b88ba514e7982f10733fb6aa895195c5ae8fd2eb2c47a8be05513ce5a0c51a6f570409',
  ],
  [
    '',
    '3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95',
    'ccf9e5aea1c2a64efa2f2354a6024b90dffde6bbc017825045dce374474e13d10adb9dadcc6ca8e17a3c075fbd31336e8f266ae6fa93a6c3bed66f9e784e5abf',
  ],
  ['\0'.repeat(4096), 'babc284ee4ffe7f449377fbf6692715b43aec7bc39c094a95878904d34bac97e', undefined],
  ['\0', 'b803429503d95915829b29fdbc8bbad142f3abfd11b1cadf5526582e685c0551', undefined],
  ['\0'.repeat(64), '59d8a49fc8815aff4e7375963ef1dfea0b21f9252ee051564f60c2207d875952', undefined],
  ['hello, flat digest store!', 'ae50bdc76f132f493daf301f0f7b688a582144302aec8877721088080811d756', undefined],
  [
    'sha512 test data',
    undefined,
    '9eccd1d90f7a3c0cc3b7c1f574850f885752cd644830b691b383044658a9308d4030b22c7b8ea3214e330398bba4f082b2a15f1f9cd4b6b59f06972148a8467b',
  ],
];

/** Spec 10 §2.6: so many bytes 0x5a, sha256, sha512. */
const SIZE_VECTORS: readonly (readonly [size: number, sha256: string, sha512: string])[] = [
  [
    1,
    'ed1ca3d522e4b885a33e9cfc3803b4aab52c718d99b449eef0caeb3170ff641d',
    '32c74dc7b1ee07c8788ffda7f82293082584ac4ae2e4404806f50134684cb8a0448d9ab21454e4777feadbfea5ba1b9108578a91f0c28dde91c0f56832374c25',
  ],
  [
    64,
    'f75fbd8ed386014398e60730802bc6c744ca806f755dfba194d09062eecca6d5',
    'f6ee53fc22f4b49d6a5a55106362c018b05ef77c1f1345e3e592bcabb7a02a07ad912f840a6a1e69dcd9c912196f9791cfc6e0d9269cf45b8f4026fb2ced4569',
  ],
  [
    65,
    'fc7554b78939c623f660b9ca0cd47a77a4d6f02163f71ea74f0a9c22b0b6cfe8',
    '0c5a19edcb85b1b2f842349698a8b5bb0db9a16901b2092fac25a73396789bf380afac291b8269ab944c6a374abebacf18222c049b793d879f0eaff2dfa6defd',
  ],
  [
    4095,
    'f280bcee6bf2827867a251a580c89ac5c9b3311f250ef04edb6079416bff7f43',
    '2ba21ae3a046d96ba9bac529e77178763d837e9aa20e8aa1ec996e8e70e86cf1e4111dd49386ada420b75d181352198baae7dcb54640dc6a0ccd251dfa0d61a4',
  ],
  [
    4096,
    'dae733f4cb5a63767cb1041a2bd774ca90c91dfd490554e5edab17886d474600',
    '17060cff50b93c9fd092ec791ae719fe1e158a3464ad201092affc037fde252aadfbf44eceac836e76317536ea96684ab5a89562d41067583dc2090095f46034',
  ],
  [
    4097,
    'd2619d9db529bfcc1b0179d7f22a3275ef40456580ebd246fb1c0faa70cc1f6c',
    'fc1aa4d2aeb1f623ac4c200411eb8529a913f8591af998a357a6462746d9ac163601f975dc0b9b78bf0790f7d3af548e355dccc1b31562b21e1a7f8ee8829ae3',
  ],
  [
    8192,
    '29aececea262dc8688a002ca9ed29b30fc4ac66882ea4ac1fa7f107d7b4624b9',
    'dadf9714780138f98e47d171066cdb4dcdd33bbaf7c28dc87285c3c06e2a7071d857ed1f101ada10718070e30a66c3dccbe83cf880e4c1248af677ed1fbd5b86',
  ],
  [
    262144,
    'bdf787e83ed0b89451f849d4dc23747fe59117afef81e6b18cc1011805cdd2d7',
    '35bcd8b3de7d2ecccf5fb2cc8ead107edbd53238f419e0f7e05b38fc50500ed22946528c5a9f20658e12f89d89b9d38a3096f29f67a2e8bbfccfa92d06be7c28',
  ],
  [
    262145,
    'db90d7fe2fb0876a440d8bad9483f26ca3a68203e733b0877a7ee91674d19515',
    'ba55b464501c641d2af19858190dc31fd26a5c80da4fdde083aecf096d01e82275eb8c085c0bfc61bbededa0a2badc91daf716d770a36d4406cd68789f3a9129',
  ],
  [
    524287,
    'c8c4666df98e7d97c03778ba5001a5faedc62409e1b9008defab2e1c3da15e61',
    'f5837bcc7901169a8bdb89bdf12970e11ffd4908b0ec403509083d6c82e51f9ca9119b6fbf61347cba764cf8460f17565bbd52717cae5b55459f1617b9460275',
  ],
  [
    524288,
    'fa6dd50c6117479a8e0691104fd19c93263b8fc12c56a7c581d36a1fe2990845',
    '8f0cc42dcde59bbb14d7b0aa07c9d1c9d80610686f44eec56562f8b075f3ea836c2391b1b1073fee2ee16bbdcc1eea16f7b12139e743325edbfd6efd0aa19c07',
  ],
  [
    524289,
    '44a3ceba1c1a2896d0002c3b1e15f332291e8ef3c4760f14531061f17d6dc423',
    '14c1f43801057313ebfd3feef70bf60e0a5a03390101bfdcd043c42f8333020dae5482b864c2b82d05e4b4ababd9f52182a62fb0502b550415c00038ac2f6ee6',
  ],
  [
    528384,
    '561268fe962996c65b23923ed004514c8a8da516be606f2ada355bb770117e2d',
    '15d030b7f63237be9ea8676c9bda2b1db67beb4e106a8e88e883a405cdaa0b35b3f84354c68a8634f36dd057f88e27d3551523d639b17cdba3459f4f151a8694',
  ],
  [
    528385,
    '187503445a5302d347bbecce8f70a1d3dd624b8c02c6c5635df9684f58351d9e',
    'caeb0a0e91e4a66e086a34b82a6db77938b441c799c9dbe3638c75481170304b3b7f7c1e4383d395cbd70b525fbfe9ab5d449ec93aafe59cf794a0423236dd3d',
  ],
  [
    1048576,
    '440c7ed9c59331fd66705cab9201eb74a062a3a5b95839d597f0d459f9dce3b3',
    '053963c507964d779ce7fec6dbdea83d7cb1baec0b61cb64b3f64d13fdb8e09e062511c6ad752442d0f94db2ef66472a0f5d02d59e8df18a9fc4def58ad2b962',
  ],
  [
    67108864,
    '24d6a7b7fc6d84a4cccee30dd408dc3b812fbf82bdfb796962d9d45ccfad6362',
    'f017537d8d742c5dccb8542858287bdc85af02a5ed6614212337ec6e7a6eb1a975a024eafefdbcba49aca46d9df3527ec75697c16395e4f47b345f10ece78603',
  ],
  [
    67108865,
    '9aec93c07b4fc8b10bb13c165536a4e9bc1e633c57d3f630a4b26ceb64d88024',
    '2a12a04c21264479f9642eb4678d64ef205fee0d083bc5ed8056d8c79ddfb993af594b42b1dde4720ac3a18f9b96c368383f4b5cc80d796f0d41156e718f38b6',
  ],
];

test('texts have the digests of the specification', () => {
  for (const [text, sha256, sha512] of TEXT_VECTORS) {
    if (sha256 !== undefined) assert.equal(computeVerity('sha256', Buffer.from(text)), sha256, JSON.stringify(text));
    if (sha512 !== undefined) assert.equal(computeVerity('sha512', Buffer.from(text)), sha512, JSON.stringify(text));
  }
});

test('runs of 0x5a have the digests of the specification, up to three levels of the tree', () => {
  const data = Buffer.alloc(67108865, 0x5a);
  for (const [size, sha256, sha512] of SIZE_VECTORS) {
    assert.equal(computeVerity('sha256', data.subarray(0, size)), sha256, `sha256 of ${size} bytes`);
    assert.equal(computeVerity('sha512', data.subarray(0, size)), sha512, `sha512 of ${size} bytes`);
  }
});

test('the digest does not depend on how the data is cut into chunks', () => {
  const data = Buffer.from(Array.from({ length: 3 * 4096 + 777 }, (_, i) => (i * 31) & 0xff));
  fc.assert(
    fc.property(
      fc.constantFrom(...ALGORITHMS),
      fc.nat(data.length),
      fc.array(fc.oneof(fc.nat(20), fc.nat(9000), fc.constantFrom(0, 1, 4095, 4096, 4097)), { maxLength: 40 }),
      (algorithm, size, lengths) => {
        const hasher = new FsVerityHasher(algorithm);
        let position = 0;
        for (const length of [...lengths, size]) {
          const end = Math.min(size, position + length);
          hasher.update(data.subarray(position, end));
          position = end;
        }
        assert.equal(hasher.digest(), computeVerity(algorithm, data.subarray(0, size)));
      },
    ),
    { numRuns: Number(COMPOSEFS_TEST_FUZZ) },
  );
});

test('short reads of one byte up to some blocks give the digest of the whole', () => {
  const data = Buffer.alloc(70000, 0x5a);
  for (const algorithm of ALGORITHMS) {
    for (const step of [1, 7, 1000, 4095, 4097, 8192]) {
      const hasher = new FsVerityHasher(algorithm);
      for (let position = 0; position < data.length; position += step) {
        hasher.update(data.subarray(position, position + step));
      }
      assert.equal(hasher.digest(), computeVerity(algorithm, data), `${algorithm} in steps of ${step}`);
    }
  }
});

test('the digest is that of a plain implementation at the sizes around the powers of the arities', () => {
  const data = Buffer.alloc(64 ** 3 + 64 ** 2 + 64 + 1, 0x5a);
  const signs = [-1, 0, 1];
  const sizes = new Set<number>();
  for (const a of [32, 64]) {
    for (const l3 of signs) {
      for (const l2 of signs) {
        for (const l1 of signs) for (const l0 of signs) sizes.add(a ** 3 * l3 + a ** 2 * l2 + a * l1 + l0);
      }
    }
  }
  for (const size of sizes) {
    if (size < 0) continue;
    for (const algorithm of ALGORITHMS) {
      const part = data.subarray(0, size);
      assert.equal(computeVerity(algorithm, part), plainVerity(algorithm, part), `${algorithm} of ${size} bytes`);
    }
  }
});

test('a chunk may be overwritten after it was added', () => {
  const hasher = new FsVerityHasher('sha256');
  const chunk = Buffer.from('hello ');
  hasher.update(chunk);
  chunk.set(Buffer.from('world'));
  hasher.update(chunk.subarray(0, 5));
  assert.equal(hasher.digest(), computeVerity('sha256', Buffer.from('hello world')));
});

test('a plain Uint8Array in the middle of a larger buffer is hashed as it is', () => {
  const bytes = new Uint8Array(Buffer.from('xxhello worldxx')).subarray(2, 13);
  assert.equal(computeVerity('sha256', bytes), computeVerity('sha256', Buffer.from('hello world')));
});

test('a second digest is the same, and adding data after it is refused', () => {
  const hasher = new FsVerityHasher('sha512').update(Buffer.alloc(5000));
  const digest = hasher.digest();
  assert.equal(hasher.digest(), digest);
  assert.throws(() => hasher.update(Buffer.alloc(1)), { code: 'HASHER_ENDED' });
});

test('a hasher that was reset knows nothing of the last file', () => {
  const hasher = new FsVerityHasher('sha256');
  hasher.update(Buffer.alloc(3_000_000, 1)).digest();
  assert.equal(hasher.reset().digest(), computeVerity('sha256', Buffer.alloc(0)));
  assert.equal(hasher.reset().update(Buffer.from('hello world')).digest(), TEXT_VECTORS[0]?.[1]);
});

test('blocks can be added one by one, only the last may be short', () => {
  const data = Buffer.alloc(4096 + 10, 0x5a);
  const hasher = new FsVerityHasher('sha256').addBlock(data.subarray(0, 4096)).addBlock(data.subarray(4096));
  assert.throws(() => hasher.addBlock(data.subarray(0, 4096)), /cannot add data after a partial block/);
  assert.equal(hasher.digest(), computeVerity('sha256', data));
  assert.throws(() => new FsVerityHasher('sha256').addBlock(data.subarray(0, 0)), { code: 'INVALID_BLOCK' });
  assert.throws(() => new FsVerityHasher('sha256').addBlock(data), { code: 'INVALID_BLOCK' });
});

test('the digest of an open file is that of its bytes, wherever the file position is', () => {
  withTempDir((directory) => {
    const path = join(directory, 'file');
    const data = Buffer.alloc(600_001, 0x5a);
    writeFileSync(path, data);
    withFd(path, (fd) => {
      readSync(fd, Buffer.alloc(100));
      assert.equal(computeVerityOfFd('sha512', fd), computeVerity('sha512', data));
    });
  });
});

/** Spec 10 §2.2 and §2.3 word by word. */
function plainVerity(algorithm: HashAlgorithm, data: Buffer): string {
  const digestSize = algorithm === 'sha256' ? 32 : 64;
  let hashes = hashBlocks(algorithm, data);
  while (hashes.length > 1) hashes = hashBlocks(algorithm, Buffer.concat(hashes));
  const descriptor = Buffer.alloc(256);
  descriptor.set([1, algorithm === 'sha256' ? 1 : 2, 12, 0]);
  descriptor.writeBigUInt64LE(BigInt(data.length), 8);
  (hashes[0] ?? Buffer.alloc(digestSize)).copy(descriptor, 16);
  return hash(algorithm, descriptor, 'hex');
}

function hashBlocks(algorithm: HashAlgorithm, data: Buffer): Buffer[] {
  const hashes: Buffer[] = [];
  for (let position = 0; position < data.length; position += 4096) {
    const block = Buffer.alloc(4096);
    data.copy(block, 0, position, position + 4096);
    hashes.push(hash(algorithm, block, 'buffer'));
  }
  return hashes;
}
