import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { ComposefsError, errorCode } from '../../../src/errors.js';
import { RegistrySource } from '../../../src/oci/sources/registry-source.js';
import type { TestRegistry } from '../../../src/testing/index.js';
import { pullOptions, put, sizedImage, startRegistry } from './registry-support.js';

/** Servers that compress documents although nobody asked for it, or only say so. */

const IMAGE = sizedImage([1000]);
const MANIFEST = IMAGE.manifest.bytes;
const CONFIG = IMAGE.config.bytes;

async function read(registry: TestRegistry, options: ReturnType<typeof pullOptions>, digest?: string): Promise<string> {
  const { registry: config, timeouts, retry } = options;
  const source = await RegistrySource.open(registry.reference('my/image', digest), { config, timeouts, retry });
  try {
    const manifest = await source.manifest();
    return (await source.readBlob(manifest.value.config)).equals(CONFIG) ? manifest.digest : 'another config';
  } catch (error) {
    assert.ok(error instanceof ComposefsError, String(error));
    return errorCode(error);
  } finally {
    await source.close();
  }
}

for (const [what, encoding, manifest, config, expected] of [
  ['compressed', 'gzip', gzipSync(MANIFEST), gzipSync(CONFIG), IMAGE.manifest.descriptor.digest],
  ['compressed, by the old name', 'x-gzip', gzipSync(MANIFEST), gzipSync(CONFIG), IMAGE.manifest.descriptor.digest],
  ['said to be compressed', 'gzip', MANIFEST, CONFIG, IMAGE.manifest.descriptor.digest],
  ['with another encoding', 'br', MANIFEST, CONFIG, IMAGE.manifest.descriptor.digest],
  ['that are others when decompressed', 'gzip', gzipSync(MANIFEST), gzipSync(`${CONFIG} `), 'BAD_RESPONSE'],
  ['cut off', 'gzip', gzipSync(MANIFEST).subarray(0, -9), CONFIG, 'BAD_RESPONSE'],
  ['that do not end', 'gzip', gzipSync(Buffer.alloc(64 << 20)), CONFIG, 'BAD_RESPONSE'],
] as const) {
  test(`documents ${what}`, async (context) => {
    const registry = await startRegistry(context);
    put(registry, 'my/image', IMAGE);
    const headers = { 'Content-Encoding': encoding, 'Content-Type': IMAGE.manifest.descriptor.mediaType };
    registry.addFault({ type: 'status', status: 200, body: manifest, headers }, { path: '*/manifests/*' });
    registry.addFault({ type: 'status', status: 200, body: config, headers }, { path: '*/blobs/*' });
    for (const digest of [undefined, IMAGE.manifest.descriptor.digest]) {
      assert.equal(await read(registry, pullOptions(context), digest), expected);
    }
  });
}
