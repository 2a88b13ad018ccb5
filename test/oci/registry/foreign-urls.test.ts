import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ComposefsError, fullMessage } from '../../../src/errors.js';
import { DEFAULT_RETRY } from '../../../src/oci/http/retry.js';
import { DEFAULT_TIMEOUTS } from '../../../src/oci/http/timeouts.js';
import { pull } from '../../../src/oci/import/pull.js';
import type { PullOptions } from '../../../src/oci/import/pull-options.js';
import { EndpointClient } from '../../../src/oci/registry/endpoint-client.js';
import { ForeignUrls } from '../../../src/oci/registry/foreign-urls.js';
import type { TestRegistry } from '../../../src/testing/index.js';
import { tempRepository } from '../../composefs/repository/temp-repository.js';
import { pullOptions, sizedImage, startRegistry } from './registry-support.js';

/** Layers that registries may not give away: they are at the URLs of their descriptors. */

const FOREIGN = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
const IMAGE = sizedImage([200_000]);
const LAYER = IMAGE.layers[0]?.descriptor ?? assert.fail('no layer');
const BYTES = IMAGE.layers[0]?.bytes ?? assert.fail('no layer');

interface Setup {
  readonly registry: TestRegistry;
  /** Where the layer is, as a blob. */
  readonly store: TestRegistry;
  readonly pull: (options?: PullOptions) => Promise<string>;
}

/** An image whose layer only `store` has. */
async function setup(context: TestContext, urls?: readonly string[]): Promise<Setup> {
  const auth = { type: 'basic', users: { ann: 'secret' } } as const;
  const registry = await startRegistry(context, { auth });
  const store = await startRegistry(context);
  store.putBlob('store', BYTES);
  registry.putBlob('my/image', IMAGE.config.bytes);
  const own = [`${store.origin.replace('//', '//user:pass@')}/v2/store/blobs/${LAYER.digest}`];
  const layers = [{ ...LAYER, mediaType: FOREIGN, urls: urls ?? own }];
  registry.putManifest(
    'my/image',
    { schemaVersion: 2, config: IMAGE.config.descriptor, layers },
    { tag: 'latest', mediaType: 'application/vnd.oci.image.manifest.v1+json' },
  );
  const repo = await tempRepository(context);
  const credentials = { username: 'ann', password: 'secret' };
  const run = async (options: PullOptions = {}): Promise<string> => {
    const all = pullOptions(context, { ...options, registry: { credentials, ...options.registry } });
    try {
      await pull(repo, registry.reference('my/image'), 'x', all);
      return 'pulled';
    } catch (error) {
      assert.ok(error instanceof ComposefsError, String(error));
      return fullMessage(error);
    }
  };
  return { registry, store, pull: run };
}

test('a layer comes from its own URL if the registry does not have it', async (context) => {
  const { registry, store, pull } = await setup(context);
  store.addFault({ type: 'cut', afterBytes: 100_000 }, { nth: 1 });
  assert.equal(await pull(), 'pulled');
  assert.deepEqual(
    registry.requests.filter(({ url }) => url.endsWith(LAYER.digest)).map(({ status }) => status),
    [404],
  );
  assert.deepEqual(
    store.requests.map(({ headers }) => [headers['authorization'], headers['range']]),
    [
      [undefined, undefined],
      [undefined, 'bytes=100000-'],
    ],
  );
});

test('it comes from the registry if that has it', async (context) => {
  const { registry, store, pull } = await setup(context);
  registry.putBlob('my/image', BYTES);
  assert.equal(await pull(), 'pulled');
  assert.deepEqual(store.requests, []);
});

test('other content is refused', async (context) => {
  const { store, pull } = await setup(context);
  store.addFault({ type: 'corrupt' });
  assert.match(await pull(), /Failed to import layer sha256:/);
});

test('the next URL is tried, and if none is good the registry says why, and they', async (context) => {
  const { store, pull } = await setup(context);
  const good = `${store.origin}/v2/store/blobs/${LAYER.digest}`;
  const bad = `${store.origin}/none`;
  assert.equal(await (await setup(context, ['http://127.0.0.1:1/x', bad, good])).pull(), 'pulled');
  const message = await (await setup(context, [bad])).pull();
  assert.match(message, /blob .* is not known; its own URLs fail, too: .*\/none does not have it \(404\)/);
  assert.equal(await pull(), 'pulled');
});

test('another host cannot ask for the credentials', async (context) => {
  const { store, pull } = await setup(context);
  const headers = { 'WWW-Authenticate': 'Basic realm="x"' };
  store.addFault({ type: 'status', status: 401, headers });
  assert.match(await pull(), /its own URLs fail, too: .*wants a login \(401\)/);
  assert.equal(store.requests.length, 1);
});

function usable(urls: readonly string[], insecure: boolean | undefined): string[] {
  const settings = { timeouts: DEFAULT_TIMEOUTS, retry: DEFAULT_RETRY, proxies: {} };
  const data = { host: 'reg.example', repository: 'a', insecure: insecure === true };
  const endpoints = insecure === undefined ? [] : [new EndpointClient(data, settings)];
  return new ForeignUrls(endpoints, settings).usable(urls).map(({ href }) => href);
}

test('which URLs are asked', () => {
  const urls = [
    'https://a.example/x?y#z',
    'http://b.example/',
    'ftp://c.example/',
    'file:///etc/passwd',
    'data:,x',
    '/x',
    '',
    'https://user:pass@d.example/',
  ];
  assert.deepEqual(usable(urls, false), ['https://a.example/x?y', 'https://d.example/']);
  assert.deepEqual(usable(urls, true), ['https://a.example/x?y', 'http://b.example/', 'https://d.example/']);
  const many = Array.from({ length: 1000 }, (_, index) => `https://a.example/${index}`);
  assert.equal(usable(many, false).length, 8);
  assert.deepEqual(usable(['http://b.example/'], undefined), []);
});
