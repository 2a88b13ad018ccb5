import assert from 'node:assert/strict';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { errorChain, errorCode, findCause } from '../../../src/errors.js';
import { pullFrom } from '../../../src/oci/import/pull.js';
import type { PullResult } from '../../../src/oci/import/pull-options.js';
import { SkopeoError } from '../../../src/oci/skopeo/proxy-error.js';
import { SkopeoSource, type SkopeoSourceOptions } from '../../../src/oci/sources/skopeo-source.js';
import { type FakeProxy, fakeProxy, imageSteps, type Plan, withoutPython } from '../../support/fake-proxy.js';
import { buildImage, damage, dataLayerTar, fxOci } from '../../support/oci-fixtures.js';
import { isSound, PULL, tempDir, tempRepository } from '../oci-support.js';

const skip = withoutPython;
const reference = { transport: 'docker-daemon', name: 'app:v1' } as const;

/** Layers larger than a pipe, and one smaller. */
const image = buildImage([dataLayerTar(1_500_000), dataLayerTar(10)], { compression: 'none' });
const [large] = image.layers;
const LARGE = large?.descriptor.digest ?? '';

function open(proxy: FakeProxy, options: SkopeoSourceOptions = {}): Promise<SkopeoSource> {
  return SkopeoSource.open(reference, { ...options, program: proxy.program });
}

async function pullThrough(context: TestContext, plan: Plan): Promise<{ result: PullResult; proxy: FakeProxy }> {
  const proxy = fakeProxy(tempDir(context), plan);
  const repo = await tempRepository(context);
  const source = await open(proxy);
  try {
    const result = await pullFrom(repo, source, 'app', PULL);
    assert.ok(await isSound(repo));
    return { result, proxy };
  } finally {
    await source.close();
    await isGone(proxy);
  }
}

async function isGone(proxy: FakeProxy): Promise<void> {
  // A process that was reaped has no folder.
  assert.equal(existsSync(`/proc/${proxy.pid()}`), false);
}

async function failsAs(promise: Promise<unknown>, code: string, message: RegExp): Promise<Error> {
  const error = await promise.then(
    () => assert.fail('it worked'),
    (failure: unknown) => failure,
  );
  assert.ok(error instanceof Error);
  assert.equal(errorCode(error), code, errorChain(error).join(': '));
  assert.match(errorChain(error).join(': '), message);
  return error;
}

function openPipesAndSockets(): number {
  const targets = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      // That of the listing itself.
      return '';
    }
  });
  return targets.filter((target) => /^(?:pipe|socket):/.test(target)).length;
}

test('an image is pulled with raw blobs', { skip }, async (context) => {
  const { result, proxy } = await pullThrough(context, { steps: imageSteps(image) });
  assert.equal(result.manifestDigest, image.manifest.descriptor.digest);
  assert.equal(result.configDigest, image.config.descriptor.digest);
  const log = proxy.log();
  assert.deepEqual(log.slice(0, 3), ['Initialize', 'OpenImage', 'GetManifest']);
  assert.deepEqual(
    log.filter((line) => line.startsWith('GetRawBlob ')).sort(),
    image.layers.map(({ descriptor }) => `GetRawBlob ${descriptor.digest}`).sort(),
  );
  // Those of the manifest and the config.
  assert.equal(log.filter((line) => line === 'FinishPipe').length, 2);
});

test('an image is pulled with checked blobs from an older version', { skip }, async (context) => {
  const { result, proxy } = await pullThrough(context, { steps: imageSteps(image, '0.2.3') });
  assert.equal(result.manifestDigest, image.manifest.descriptor.digest);
  const log = proxy.log();
  assert.ok(log.includes(`GetBlob ${LARGE}`));
  assert.ok(!log.some((line) => line.startsWith('GetRawBlob')));
  assert.equal(log.filter((line) => line === 'FinishPipe').length, 2 + image.layers.length);
});

test('no descriptor stays open', { skip }, async (context) => {
  const before = openPipesAndSockets();
  for (const version of ['0.2.3', '0.2.8']) await pullThrough(context, { steps: imageSteps(image, version) });
  for (const error of ['no', '']) {
    const steps = { ...imageSteps(image), OpenImage: { error, extraFds: 2 } };
    await assert.rejects(open(fakeProxy(tempDir(context), { steps })));
  }
  assert.equal(openPipesAndSockets(), before);
});

test('a converted image has its config from GetFullConfig', { skip }, async (context) => {
  const { [`GetBlob ${image.config.descriptor.digest}`]: config, ...steps } = imageSteps(image);
  const original = `sha256:${'0'.repeat(64)}`;
  const plan = {
    steps: { ...steps, GetManifest: { ...steps['GetManifest'], value: original }, GetFullConfig: config ?? {} },
  };
  const { result, proxy } = await pullThrough(context, plan);
  assert.equal(result.manifestDigest, image.manifest.descriptor.digest);
  assert.ok(proxy.log().includes('GetFullConfig'));
});

test('layers are decompressed by their content', { skip }, async (context) => {
  const announced = 'application/vnd.oci.image.layer.v1.tar+gzip';
  const plain = buildImage([dataLayerTar(100)], {
    compression: 'none',
    layerDescriptor: () => ({ mediaType: announced }),
  });
  const { result } = await pullThrough(context, { steps: imageSteps(plain) });
  assert.equal(result.manifestDigest, plain.manifest.descriptor.digest);
});

test("the layers of a store are those of the store's own list", { skip }, async (context) => {
  const compressed = fxOci();
  const stored = fxOci({ compression: 'none' });
  const info = stored.layers.map(({ descriptor: { digest, size, mediaType } }) => ({
    digest,
    size,
    media_type: mediaType,
  }));
  const storedSteps = imageSteps(stored);
  for (const version of ['0.2.5', '0.2.7', '0.2.8']) {
    const steps = {
      ...storedSteps,
      ...imageSteps(compressed, version),
      GetLayerInfo: { value: info },
      GetLayerInfoPiped: { data: Buffer.from(JSON.stringify(info)).toString('base64') },
    };
    for (const { descriptor } of compressed.layers) Reflect.deleteProperty(steps, `GetBlob ${descriptor.digest}`);
    const proxy = fakeProxy(tempDir(context), { steps });
    const repo = await tempRepository(context);
    const source = await SkopeoSource.open(
      { transport: 'containers-storage', name: 'sha256:abc' },
      { program: proxy.program },
    );
    const { manifestDigest } = await pullFrom(repo, source, 'app', PULL);
    await source.close();
    assert.equal(manifestDigest, compressed.manifest.descriptor.digest);
    assert.ok(proxy.log().includes(version === '0.2.5' ? 'GetLayerInfo' : 'GetLayerInfoPiped'));
  }
  const old = fakeProxy(tempDir(context), { steps: imageSteps(compressed, '0.2.4') });
  const source = await SkopeoSource.open({ transport: 'containers-storage', name: 'app' }, { program: old.program });
  const pulled = pullFrom(await tempRepository(context), source, 'app', PULL);
  const error = await failsAs(pulled, 'SKOPEO_TOO_OLD', /Failed to get uncompressed layer info/);
  assert.match(findCause(error, SkopeoError)?.hint ?? '', /skopeo 1\.11/);
  await source.close();
});

test('versions that do not fit are refused', { skip }, async (context) => {
  const steps = imageSteps(image);
  for (const version of ['0.2.2', '0.3.0', '0.2.x', 7]) {
    const proxy = fakeProxy(tempDir(context), { steps: { ...steps, Initialize: { value: version } } });
    const code = typeof version === 'string' ? 'SKOPEO_TOO_OLD' : 'SKOPEO_PROTOCOL';
    await failsAs(open(proxy), code, /^Creating ImageProxy: /);
    await isGone(proxy);
  }
});

test('errors of skopeo are passed on with the method and a hint', { skip }, async (context) => {
  const answers: [string, RegExp | undefined][] = [
    ['reading manifest: unauthorized: authentication required', /skopeo login/],
    ['Cannot connect to the Docker daemon at unix:///var/run/docker.sock', /Docker daemon running/],
    ['whatever', undefined],
  ];
  for (const [answer, hint] of answers) {
    const proxy = fakeProxy(tempDir(context), { steps: { ...imageSteps(image), OpenImage: { error: answer } } });
    const error = await failsAs(open(proxy), 'SKOPEO_FAILED', /^Opening image: failed to invoke method OpenImage: /);
    assert.match(errorChain(error).join(), new RegExp(answer.slice(0, 20)));
    if (hint === undefined) assert.equal(findCause(error, SkopeoError)?.hint, undefined);
    else assert.match(findCause(error, SkopeoError)?.hint ?? '', hint);
    await isGone(proxy);
  }
});

test('replies that make no sense are refused', { skip }, async (context) => {
  const good = imageSteps(image);
  const manifest = good['GetManifest'] ?? {};
  const bad: [string, Plan['steps'][string]][] = [
    ['OpenImage', { raw: 'no json' }],
    ['OpenImage', { raw: '{"success":"yes"}' }],
    ['OpenImage', { raw: '{"success":true,"pipeid":4294967296}' }],
    ['OpenImage', { raw: `{"success":true,"value":"${'x'.repeat(40_000)}"}` }],
    ['OpenImage', { value: 1, extraFds: 1 }],
    ['GetManifest', { value: 'x' }],
    ['GetManifest', { ...manifest, extraFds: 1 }],
    ['GetManifest', { ...manifest, pipeid: 0 }],
  ];
  for (const [method, step] of bad) {
    const proxy = fakeProxy(tempDir(context), { steps: { ...good, [method]: step } });
    const manifestOf = async (): Promise<unknown> => {
      const source = await open(proxy);
      return await source.manifest().finally(() => source.close());
    };
    await failsAs(manifestOf(), 'SKOPEO_PROTOCOL', new RegExp(`skopeo's answer to ${method} is unusable`));
    await isGone(proxy);
  }
  const many = fakeProxy(tempDir(context), { steps: { ...good, OpenImage: { value: 1, extraFds: 20 } } });
  await failsAs(open(many), 'TOO_MANY_FDS', /more than 16/);
  const huge = { ...manifest, data: Buffer.alloc(5 << 20).toString('base64') };
  const source = await open(fakeProxy(tempDir(context), { steps: { ...good, GetManifest: huge } }));
  await failsAs(source.manifest(), 'SKOPEO_PROTOCOL', /more than 4194304 bytes/);
  await source.close();
});

test('a proxy that dies is reported with its last words', { skip }, async (context) => {
  for (const method of ['Initialize', `GetRawBlob ${LARGE}`]) {
    const steps = { ...imageSteps(image), [method]: { exit: 'panic: out of cheese\n' } };
    const name = method.split(' ')[0] ?? '';
    const message = new RegExp(
      `skopeo proxy unexpectedly exited during request method ${name}: exit status 3: panic: out of cheese$`,
    );
    await failsAs(pullThrough(context, { steps }), 'SKOPEO_EXITED', message);
  }
});

test('a blob that is not what it should be fails the pull, and skopeo tells why', { skip }, async (context) => {
  const key = (version: string): string => `${version === '0.2.8' ? 'GetRawBlob' : 'GetBlob'} ${LARGE}`;
  const bytes = large?.bytes ?? Buffer.alloc(0);
  const lost = { code: 'retryable', message: 'connection reset by peer' };
  const cases: [string, Buffer, string | undefined, string, RegExp][] = [
    ['0.2.8', bytes.subarray(0, 1000), JSON.stringify(lost), 'SKOPEO_FAILED', /GetRawBlob: connection reset by peer$/],
    ['0.2.8', bytes.subarray(0, 1000), undefined, 'BLOB_SIZE_MISMATCH', /ends after 1000 of/],
    ['0.2.8', damage.flipByte(bytes), undefined, 'BLOB_DIGEST_MISMATCH', /Blob digest mismatch/],
    ['0.2.3', damage.flipByte(bytes), `corrupted blob, expecting ${LARGE}`, 'SKOPEO_FAILED', /FinishPipe: corrupted/],
    ['0.2.3', damage.append(bytes), 'expected 1 bytes in blob, got 2', 'SKOPEO_FAILED', /FinishPipe: expected 1/],
    ['0.2.3', damage.flipByte(bytes), undefined, 'BLOB_DIGEST_MISMATCH', /Blob digest mismatch/],
  ];
  for (const [version, data, verdict, code, message] of cases) {
    const step = { value: bytes.length, data: data.toString('base64'), ...(verdict !== undefined && { verdict }) };
    const steps = { ...imageSteps(image, version), [key(version)]: step };
    const error = await failsAs(pullThrough(context, { steps }), code, message);
    assert.match(errorChain(error)[2] ?? '', /^Failed to import layer sha256:/);
  }
});

test('a wrong config is refused', { skip }, async (context) => {
  const { digest } = image.config.descriptor;
  for (const [data, code] of [
    [damage.flipByte(image.config.bytes), 'BLOB_DIGEST_MISMATCH'],
    [damage.truncate(image.config.bytes), 'BLOB_SIZE_MISMATCH'],
  ] as const) {
    const steps = { ...imageSteps(image), [`GetBlob ${digest}`]: { value: 1, data: data.toString('base64') } };
    await failsAs(pullThrough(context, { steps }), code, new RegExp(`Reading blob ${digest}`));
  }
});

test('a proxy that gives up in the middle without a word is asked, and does not hang the pull', {
  skip,
}, async (context) => {
  const step = {
    value: 1,
    data: (large?.bytes ?? Buffer.alloc(0)).subarray(0, 1000).toString('base64'),
    verdict: 'gave up',
  };
  const steps = { ...imageSteps(image, '0.2.3'), [`GetBlob ${LARGE}`]: step };
  await failsAs(pullThrough(context, { steps }), 'SKOPEO_FAILED', /failed to invoke method FinishPipe: gave up/);
});

test('aborting ends a proxy that does not answer within a second, and leaves no process', { skip }, async (context) => {
  for (const ignoreSigterm of [false, true]) {
    for (const method of ['OpenImage', `GetRawBlob ${LARGE}`]) {
      const steps = { ...imageSteps(image), [method]: { hang: true } };
      const proxy = fakeProxy(tempDir(context), { steps, ignoreSigterm });
      const controller = new AbortController();
      const { signal } = controller;
      const repo = await tempRepository(context);
      const pulled = (async () => {
        const source = await open(proxy, { signal });
        await pullFrom(repo, source, 'app', { ...PULL, signal }).finally(() => source.close());
      })();
      pulled.catch(() => undefined);
      while (!proxy.log().includes(method)) await delay(10);
      controller.abort(new Error('stopped by the user'));
      await assert.rejects(pulled, (error) => errorChain(error).includes('stopped by the user'));
      await isGone(proxy);
    }
  }
});
