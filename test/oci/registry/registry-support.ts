import { createCipheriv } from 'node:crypto';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { PullOptions } from '../../../src/oci/import/pull-options.js';
import { type RegistryAuth, TestRegistry, type TestRegistryOptions } from '../../../src/testing/index.js';
import { buildImage, type ImageOptions, type TestImage } from '../../support/oci-fixtures.js';
import { tempDir } from '../../support/paths.js';
import { tarArchive, tarDirectory, tarFile } from '../../support/tar-builder.js';

/** A registry without faults that is closed after the test. */
export async function startRegistry(context: TestContext, options: TestRegistryOptions = {}): Promise<TestRegistry> {
  const registry = await TestRegistry.start(options);
  context.after(() => registry.close());
  return registry;
}

/** A registry that wants this authentication and has one image, at `my/image:latest`. */
export async function serveImage(context: TestContext, image: TestImage, auth: RegistryAuth): Promise<TestRegistry> {
  const registry = await startRegistry(context, { auth });
  put(registry, 'my/image', image);
  return registry;
}

/** Options that find none of this machine's configuration, take servers without TLS, and lose no time with pauses. */
export function pullOptions(context: TestContext, options: PullOptions = {}): PullOptions {
  const home = tempDir(context);
  return {
    concurrency: 2,
    timeouts: { connectMs: 2000, headersMs: 2000, idleMs: 500 },
    retry: { attempts: 4, baseMs: 10, maxMs: 20, maxRetryAfterMs: 5000 },
    ...options,
    registry: { ...isolatedConfig(home), tlsVerify: false, ...options.registry },
  };
}

/** Configuration from below one directory only. */
export function isolatedConfig(home: string): NonNullable<PullOptions['registry']> {
  return { environment: { HOME: home, XDG_RUNTIME_DIR: join(home, 'run') }, systemConfigDir: join(home, 'etc') };
}

/** An image of layers of so many incompressible bytes each, with the directories that an image needs. */
export function sizedImage(sizes: readonly number[], options: ImageOptions = {}): TestImage {
  const tars = sizes.map((size, index) =>
    tarArchive([tarDirectory('usr'), tarFile(`usr/file-${index}`, noise(size, index)), tarFile(`etc-${index}`, 'x')]),
  );
  return buildImage(tars, options);
}

/** Incompressible, and the same each time. */
export function noise(size: number, seed: number): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(size));
}

export function put(registry: TestRegistry, name: string, image: TestImage, tag = 'latest'): void {
  const blobs = [image.config, ...image.layers].map(({ bytes }) => bytes);
  for (const blob of blobs) registry.putBlob(name, blob);
  registry.putManifest(name, image.manifest.bytes, { tag });
}

/** Bytes of layer bodies that were sent, and requests for blobs. */
export function blobRequests(registry: TestRegistry): TestRegistry['requests'] {
  return registry.requests.filter(({ url }) => url.includes('/blobs/'));
}
