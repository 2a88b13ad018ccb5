import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ComposefsError, findCause } from '../../../src/errors.js';
import { RegistryError } from '../../../src/oci/model/registry-error.js';
import { RegistrySource } from '../../../src/oci/sources/registry-source.js';
import type { TestRegistry } from '../../../src/testing/index.js';
import { isolatedConfig, put, sizedImage, startRegistry } from './registry-support.js';

const image = sizedImage([100]);

async function hintFor(context: TestContext, registry: TestRegistry, name: string): Promise<string | undefined> {
  const config = { ...isolatedConfig('/nonexistent'), tlsVerify: false };
  const source = await RegistrySource.open(`${registry.host}/${name}`, { config, retry: { attempts: 1 } });
  context.after(() => source.close());
  try {
    await source.manifest();
  } catch (error) {
    assert.ok(error instanceof ComposefsError);
    const cause = findCause(error, RegistryError);
    assert.equal(cause?.status, 404);
    return cause?.hint;
  }
  assert.fail('there is a manifest');
}

test('of a tag that is not there: the tags that are, those like it first', async (context) => {
  const registry = await startRegistry(context);
  for (const tag of ['a1', 'latest', 'v1', 'v2']) put(registry, 'my/image', image, tag);
  assert.equal(await hintFor(context, registry, 'my/image:v9'), 'Choose another tag; there are: v1, v2, a1, latest');
  for (let i = 10; i < 30; i++) put(registry, 'my/many', image, `t${i}`);
  const ten = Array.from({ length: 10 }, (_, i) => `t${i + 10}`).join(', ');
  assert.equal(await hintFor(context, registry, 'my/many:x'), `Choose another tag; there are: ${ten}, …`);
});

test('of a digest, of a name, of a registry that lists no tags', async (context) => {
  const registry = await startRegistry(context);
  put(registry, 'my/image', image);
  const digest = `sha256:${'0'.repeat(64)}`;
  assert.equal(
    await hintFor(context, registry, `my/image@${digest}`),
    'Check the digest; the registry may have removed the image.',
  );
  const checkName = 'Check the name of the image: docker://HOST[:PORT]/NAME[:TAG].';
  assert.equal(await hintFor(context, registry, 'my/other'), checkName);
  registry.addFault({ type: 'status', status: 403 }, { path: '*/tags/list' });
  assert.equal(await hintFor(context, registry, 'my/image:x'), checkName);
});
