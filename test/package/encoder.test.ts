import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { Zstd } from '@hpcc-js/wasm-zstd';
import { packageRoot } from '../support/paths.js';

const lib = join(packageRoot, 'dist/lib');

/** The first bytes of a WebAssembly module in base64. */
const MODULE = "Buffer.from('AGFzbQEAAA";

test('the package has the WebAssembly encoder once, unpacked, and it encodes as the one that it is made of', async () => {
  const files = readdirSync(lib).filter(
    (name) => name.endsWith('.js') && readFileSync(join(lib, name), 'utf8').includes(MODULE),
  );
  assert.equal(files.length, 1);
  const prepared: typeof Zstd = createRequire(import.meta.url)(join(lib, files.join())).Zstd;
  const [zstd, expected] = await Promise.all([prepared.load(), Zstd.load()]);
  assert.notEqual(zstd, expected);
  assert.equal(zstd.version(), '1.5.7');
  for (const length of [0, 1, 1000, 131_072, 131_073]) {
    const input = Uint8Array.from({ length }, (_, index) => (index * index * 31 + (index >> 3)) & 0xff);
    const [frame, expectedFrame] = [zstd, expected].map((encoder) => {
      encoder.reset();
      encoder.setCompressionLevel(3);
      return Buffer.concat([encoder.compressChunk(input), encoder.compressEnd()]);
    });
    assert.deepEqual(frame, expectedFrame);
  }
  assert.ok(existsSync(join(lib, 'LICENSE-wasm-zstd')));
  assert.ok(existsSync(join(lib, 'LICENSE-zstd')));
});
