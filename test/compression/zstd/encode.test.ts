import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { loadWasmEncode, loadZstdEncode, type ZstdEncode } from '../../../src/compression/zstd/encode.js';
import { loadLibZstd } from '../../../src/compression/zstd/libzstd.js';
import { sha256 } from '../../support/sha256.js';
import { cutAt, releaseCheckInput } from './fixtures.js';

/** Spec 30 §14.2: length, sha256 of the input, length and sha256 of the frame. */
const VECTORS = [
  [
    1024,
    '2e3a4ec02e766cf7b076d67bfbead3149866465e732f72d9169d811d9e439770',
    67,
    '1767b373ebb134a223f8d0ab95cd9b9cc288903333579428a5e45429e6c3a41a',
  ],
  [
    65536,
    '7bd2845f1d3a924eacf1ef4090b5e6ec9d03b9fd5d871134741d813662e5ad27',
    1685,
    '3d7ee4f87b9970b5640afb2caf86fe5dade48c9ca752bd97251bff506a9da683',
  ],
  [
    131072,
    'ab1b9d8b0cb866a68d057616b85b0f857e7317f45f915a3902bac506cb17e32c',
    3588,
    '21c84f614fecf4a7a5a05315bea8eace458f5c74ea5e389e87b9c7d285f5649c',
  ],
  [
    262144,
    '3db8987c61f7e7d82f5a0799950a217a399dd4bd7b8cdc11dc6f16887202a4a0',
    7429,
    'c789c2f7b69a8cae7915dfbe013e1c5ceccbe7fb675c2cb616754a024d1d5a02',
  ],
  [
    1048576,
    'f672a4a7e2bc15e52b77ad0487eb2c197dc688bcf0addced44c2490348e060bf',
    31251,
    'e1b694fb6990015b03f3ebbc320b19f220baed4e30d44f557772a5164dca9c00',
  ],
] as const;

/** The encoders of release 1.5.7 that are here: WebAssembly, and the native libzstd if it is of that release. */
async function encoders(): Promise<Map<string, ZstdEncode>> {
  return new Map([
    ['WebAssembly', await loadWasmEncode()],
    ['the one in use', await loadZstdEncode()],
  ]);
}

const run = (encode: ZstdEncode, ...chunks: Uint8Array[]): Buffer => Buffer.concat([...encode(chunks)]);

test('frames are those of libzstd 1.5.7 (spec 30 §14.2)', async () => {
  for (const [name, encode] of await encoders()) {
    for (const [length, inputDigest, frameLength, frameDigest] of VECTORS) {
      const input = releaseCheckInput(length);
      assert.equal(sha256(input), inputDigest);
      const frame = run(encode, input);
      assert.equal(frame.length, frameLength, name);
      assert.equal(sha256(frame), frameDigest, name);
    }
  }
});

test('nothing becomes the empty frame of 9 bytes', async () => {
  for (const encode of (await encoders()).values()) {
    assert.equal(run(encode).toString('hex'), '28b52ffd2000010000');
    assert.equal(run(encode, Buffer.alloc(0)).toString('hex'), '28b52ffd2000010000');
  }
});

test('how the input is cut does not matter', async () => {
  const all = [...(await encoders()).values()];
  const source = releaseCheckInput(600_000);
  fc.assert(
    fc.property(
      fc.oneof(fc.nat(source.length), fc.constantFrom(1, 131071, 131072, 131073, 262144, 393216)),
      fc.array(fc.nat(source.length), { maxLength: 8 }),
      (length, cuts) => {
        const input = source.subarray(0, length);
        const frames = all.map((encode) => run(encode, ...cutAt(input, cuts)).toString('hex'));
        const [first = encodeMissing()] = all;
        assert.deepEqual(new Set(frames), new Set([run(first, input).toString('hex')]));
      },
    ),
    { numRuns: 15 },
  );
});

test('an incompressible input survives, and inputs that end in a repeated block', async () => {
  const random = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * i * 31 + (i >> 3)) & 0xff));
  const frames = new Set<string>();
  for (const encode of (await encoders()).values()) {
    frames.add(sha256(run(encode, random, Buffer.alloc(300_000, 7))));
  }
  assert.equal(frames.size, 1);
});

test('a frame that was left early does not spoil the next one', async () => {
  for (const encode of (await encoders()).values()) {
    const expected = run(encode, releaseCheckInput(300_000));
    for (const _ of encode([releaseCheckInput(300_000)])) break;
    assert.ok(run(encode, releaseCheckInput(300_000)).equals(expected));
  }
});

const skip = loadLibZstd()?.versionNumber === 10507 ? false : 'a native libzstd 1.5.7 is absent';
test('what libzstd encoded before does not matter, nor what else it is encoding', { skip }, async () => {
  const [wasm, encode] = await Promise.all([loadWasmEncode(), loadZstdEncode()]);
  const input = fc.tuple(fc.nat(3000), fc.oneof(fc.nat(2000), fc.nat(400_000)), fc.nat(3));
  fc.assert(
    fc.property(fc.array(input, { minLength: 2, maxLength: 6 }), (inputs) => {
      const other = encode([releaseCheckInput(300_000)])[Symbol.iterator]();
      other.next();
      for (const [start, length, noise] of inputs) {
        const bytes = Buffer.from(releaseCheckInput(start + length).subarray(start));
        for (let index = 0; noise > 0 && index < length; index += 97 * noise) bytes[index] = (index * 31) & 0xff;
        assert.ok(run(encode, bytes).equals(run(wasm, bytes)));
      }
      other.return?.();
    }),
    { numRuns: 30 },
  );
});

test('the WebAssembly encoder refuses to mix two frames', async () => {
  const encode = await loadWasmEncode();
  const first = encode([releaseCheckInput(300_000)])[Symbol.iterator]();
  first.next();
  assert.throws(() => run(encode, Buffer.of(1)), { code: 'ZSTD_BUSY' });
  first.return?.();
  assert.equal(run(encode).length, 9);
});

test('other levels give the frames of libzstd 1.5.7, too', async () => {
  const frames = [
    [1, 5835, 'ab2580f850e5de4ffee318e83890c4d42e59a4f219725eee2c46f5cabad4e5b4'],
    [9, 6261, '47a93500de1390f873f89ee5a2622bfb5b40d60466531475abdaacd6cd63235a'],
    [19, 5823, '47e2795d15bbc7ab1dc525d3721b365ea4d0c035565e5599639bfebe5c1446b0'],
  ] as const;
  for (const [level, length, digest] of frames) {
    for (const encode of [await loadWasmEncode(level), await loadZstdEncode(level)]) {
      const frame = run(encode, releaseCheckInput(262_144));
      assert.deepEqual([frame.length, sha256(frame)], [length, digest]);
    }
  }
});

function encodeMissing(): never {
  throw new Error('no encoder');
}

test('a thread that ends gives back the memory of the context that it kept', async (t) => {
  if (loadLibZstd() === null) return t.skip('there is no libzstd to be called');
  const library = new URL('../../../src/compression/zstd/libzstd.js', import.meta.url).href;
  // What cannot be compressed fills the window, so that a context takes several megabytes.
  const code = `(async () => {
    const { loadLibZstd } = await import(${JSON.stringify(library)});
    const encoder = loadLibZstd().createEncoder(3);
    for (const _ of encoder.push(require('node:crypto').randomBytes(8 << 20)));
    for (const _ of encoder.finish());
    encoder.free();
    process.exit();
  })()`;
  const inThreads = async (count: number): Promise<number> => {
    for (let left = count; left > 0; left--) await once(new Worker(code, { eval: true }), 'exit');
    return process.memoryUsage.rss() / 2 ** 20;
  };
  const before = await inThreads(4);
  const grown = (await inThreads(24)) - before;
  assert(grown < 40, `${grown.toFixed(0)} MiB more after 24 threads`);
});

test('where there are no addresses for WebAssembly the error says so', () => {
  const module = new URL('../../../src/compression/zstd/encode.js', import.meta.url);
  const script = `import(${JSON.stringify(module.href)}).then(({ loadWasmEncode }) => loadWasmEncode())
    .then(() => console.log('started'), ({ code, message }) => console.log(code, message))`;
  // Node itself starts with 2 GiB; WebAssembly reserves 10 for each memory, and less from Node 24 on.
  const shell = `ulimit -v ${4 << 20} && exec "$0" -e "$1"`;
  const { stdout } = spawnSync('sh', ['-c', shell, process.execPath, script], { encoding: 'utf8' });
  const reservesMuch = Number.parseInt(process.versions.node, 10) < 24;
  assert.equal(stdout, reservesMuch ? 'ZSTD_UNAVAILABLE the bundled Zstandard encoder cannot start\n' : 'started\n');
});
