import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ContextError, findCause, fullMessage } from '../../../src/errors.js';
import { ImageSourceError } from '../../../src/oci/blob/blob-error.js';
import { pull } from '../../../src/oci/import/pull.js';
import type { PullOptions, PullResult } from '../../../src/oci/import/pull-options.js';
import { type OciDigest, parseOciDigest, sha256ContentDigest } from '../../../src/oci/model/digest.js';
import { OCI_EMPTY, OCI_IMAGE_CONFIG, OCI_MANIFEST } from '../../../src/oci/model/media-types.js';
import { PolicyRejection } from '../../../src/oci/signatures/check-policy.js';
import { SIGNATURE_ANNOTATION, SIMPLE_SIGNING_MEDIA_TYPE } from '../../../src/oci/signatures/simple-signing.js';
import type { ProgressEvent } from '../../../src/progress.js';
import type { TestRegistry } from '../../../src/testing/index.js';
import { tempRepository } from '../../composefs/repository/temp-repository.js';
import { tempDir } from '../../support/paths.js';
import { configIn } from '../registry/config-fixtures.js';
import { blobRequests, pullOptions, put, sizedImage, startRegistry } from '../registry/registry-support.js';
import { payloadFor, type Signer, signer, signPayload } from './signing-fixtures.js';

const IMAGE = sizedImage([1000]);
const DIGEST = sha256ContentDigest(IMAGE.manifest.bytes);

interface Setup {
  readonly registry: TestRegistry;
  readonly pull: (policy: unknown, options?: PullOptions, reference?: string) => Promise<PullResult>;
}

async function setup(t: TestContext): Promise<Setup> {
  const registry = await startRegistry(t);
  put(registry, 'my/image', IMAGE, 'v1');
  const repo = await tempRepository(t);
  const options = pullOptions(t);
  const { root } = configIn(t);
  return {
    registry,
    pull: async (policy, more = {}, reference = registry.reference('my/image', 'v1')) => {
      const signaturePolicy = join(root, 'policy.json');
      writeFileSync(signaturePolicy, JSON.stringify(policy));
      return await pull(repo, reference, 'tag', { ...options, signaturePolicy, ...more });
    },
  };
}

/** Attaches signatures as cosign does. */
function attach(registry: TestRegistry, by: readonly Signer[], reference: string): void {
  const payload = payloadFor(DIGEST, reference);
  const layer = registry.putBlob('my/image', payload);
  const config = registry.putBlob('my/image', Buffer.from('{}'));
  const layers = by.map((one) => ({
    ...layer,
    mediaType: SIMPLE_SIGNING_MEDIA_TYPE,
    annotations: { [SIGNATURE_ANNOTATION]: signPayload(one, payload).toString('base64') },
  }));
  registry.putManifest(
    'my/image',
    { schemaVersion: 2, mediaType: OCI_MANIFEST, config: { ...config, mediaType: OCI_IMAGE_CONFIG }, layers },
    { tag: `${DIGEST.replace(':', '-')}.sig` },
  );
}

function signed(key: Signer, signedIdentity?: unknown): unknown {
  const keyData = Buffer.from(key.pem).toString('base64');
  return { default: [{ type: 'sigstoreSigned', keyData, ...(signedIdentity !== undefined && { signedIdentity }) }] };
}

async function rejection(result: Promise<PullResult>): Promise<string> {
  return await result.then(
    () => assert.fail('accepted'),
    (error: unknown) => {
      assert.ok(findCause(error, PolicyRejection) !== undefined, fullMessage(error));
      return fullMessage(error);
    },
  );
}

/** Puts manifests that name the image as their subject: an artifact, and another image. */
function refer(registry: TestRegistry): Record<'artifact' | 'image', OciDigest> {
  const subject = IMAGE.manifest.descriptor;
  const config = { ...registry.putBlob('my/image', Buffer.from('{}')), mediaType: OCI_EMPTY };
  const artifact = { schemaVersion: 2, mediaType: OCI_MANIFEST, artifactType: 'x/sbom', config, layers: [], subject };
  const other = sizedImage([500]);
  for (const { bytes } of [other.config, ...other.layers]) registry.putBlob('my/image', bytes);
  const image = { ...JSON.parse(other.manifest.bytes.toString()), subject };
  return {
    artifact: parseOciDigest(registry.putManifest('my/image', artifact).digest),
    image: parseOciDigest(registry.putManifest('my/image', image).digest),
  };
}

test('referrers are under the policy by their own digests, and those that it refuses are left out', async (t) => {
  const { registry, pull } = await setup(t);
  const { artifact, image } = refer(registry);
  const reject = [{ type: 'reject' }];
  const accept = [{ type: 'insecureAcceptAnything' }];
  const repository = `${registry.host}/my/image`;
  const messages: string[] = [];
  const progress = { report: (event: ProgressEvent) => event.type === 'message' && messages.push(event.text) };
  const referrers = async (scopes: Record<string, unknown>): Promise<readonly string[]> => {
    const policy = { default: reject, transports: { docker: scopes } };
    return (await pull(policy, { referrers: true, progress })).referrers;
  };
  assert.deepEqual(await referrers({ [`${repository}:v1`]: accept }), []);
  assert.deepEqual(await referrers({ [`${repository}:v1`]: accept, [`${repository}@${artifact}`]: accept }), [
    artifact,
  ]);
  assert.deepEqual([...(await referrers({ [repository]: accept }))].sort(), [artifact, image].sort());
  const refused = `Ignoring referrer ${image}: ${repository}@${image} is refused by the signature policy`;
  assert.ok(
    messages.some((text) => text.startsWith(refused)),
    messages.join('\n'),
  );
});

test('an unsigned referrer does not come with a signed image', async (t) => {
  const { registry, pull } = await setup(t);
  refer(registry);
  const key = signer('p256');
  attach(registry, [key], registry.reference('my/image', 'v1').replace('docker://', ''));
  const { manifestDigest, referrers } = await pull(signed(key), { referrers: true });
  assert.equal(manifestDigest, DIGEST);
  assert.deepEqual(referrers, []);
});

test('a rejected image is not fetched, nor its config', async (t) => {
  const { registry, pull } = await setup(t);
  const policy = {
    default: [{ type: 'insecureAcceptAnything' }],
    transports: { docker: { [registry.host]: [{ type: 'reject' }] } },
  };
  assert.match(
    await rejection(pull(policy)),
    new RegExp(`${registry.host}/my/image:v1 is refused by .*policy.json: it rejects`),
  );
  assert.deepEqual(blobRequests(registry), []);
  await pull({ default: [{ type: 'insecureAcceptAnything' }] });
});

test('an image must be signed by the key of the policy', async (t) => {
  const { registry, pull } = await setup(t);
  const [key, stranger] = [signer('p256'), signer('ed25519')];
  assert.match(await rejection(pull(signed(key))), /a signature is required, and there is none/);
  attach(registry, [stranger], `${registry.host}/my/image:v1`);
  assert.match(await rejection(pull(signed(key))), /not by a key of the policy/);
  attach(registry, [stranger, key], `${registry.host}/my/image:v1`);
  assert.equal((await pull(signed(key))).manifestDigest, DIGEST);
  const byDigest = registry.reference('my/image', DIGEST);
  assert.equal((await pull(signed(key), {}, byDigest)).manifestDigest, DIGEST);
});

test('what cosign signs, a repository without a tag, needs matchRepository', async (t) => {
  const { registry, pull } = await setup(t);
  const key = signer('p256');
  attach(registry, [key], `${registry.host}/my/image`);
  assert.match(await rejection(pull(signed(key))), /a signature is for another name/);
  await pull(signed(key, { type: 'matchRepository' }));
});

test("the user's policy counts where none is named", async (t) => {
  const { registry, pull } = await setup(t);
  const { root, environment, systemConfigDir } = configIn(t);
  const config = { environment, systemConfigDir, tlsVerify: false };
  const options = { signaturePolicy: undefined, registry: config };
  await pull({}, options);
  mkdirSync(join(root, 'home/.config/containers'), { recursive: true });
  writeFileSync(join(root, 'home/.config/containers/policy.json'), '{"default":[{"type":"reject"}]}');
  assert.match(await rejection(pull({}, options)), /it rejects all such images/);
  await rejection(pull({}, options, `${registry.host}/my/image:v1`));
});

test('a bare name is an alias, or searched for in the registries of the configuration', async (t) => {
  const { registry, pull } = await setup(t);
  const empty = await startRegistry(t);
  const accept = { default: [{ type: 'insecureAcceptAnything' }] };
  const conf = (text: string): PullOptions => {
    const { environment, systemConfigDir } = configIn(t, { 'etc/containers/registries.conf': text });
    return { registry: { environment, systemConfigDir, tlsVerify: false } };
  };
  const alias = conf(`[aliases]\n"short/name" = "${registry.host}/my/image"\n`);
  assert.equal((await pull(accept, alias, 'short/name:v1')).manifestDigest, DIGEST);
  const search = conf(`unqualified-search-registries = ["${empty.host}", "${registry.host}"]\n`);
  assert.equal((await pull(accept, search, 'my/image:v1')).manifestDigest, DIGEST);
  await assert.rejects(pull(accept, search, 'my/other:v1'), (error: unknown) => {
    const cause = findCause(error, ImageSourceError);
    assert.equal(cause?.code, 'SHORT_NAME_NOT_FOUND');
    assert.match(cause.message, /'my\/other:v1' is in none of the registries: .*404.*; .*404/s);
    assert.equal(cause.hint, `Name the registry: ${empty.host}/my/other:v1`);
    return true;
  });
});

test('a bare name that is found nowhere, and is that of a file, gets a hint how an archive is named', async (t) => {
  const { registry, pull } = await setup(t);
  const { environment, systemConfigDir } = configIn(t, {
    'etc/containers/registries.conf': `unqualified-search-registries = ["${registry.host}"]\n`,
  });
  const options: PullOptions = { registry: { environment, systemConfigDir, tlsVerify: false } };
  const accept = { default: [{ type: 'insecureAcceptAnything' }] };
  const before = process.cwd();
  process.chdir(tempDir(t));
  try {
    writeFileSync('app.tar', '');
    await assert.rejects(pull(accept, options, 'app.tar'), (error: unknown) => {
      assert.match(fullMessage(error), /'app\.tar' is taken as the name of an image in a registry: .*404/s);
      assert.equal(
        findCause(error, ContextError)?.hint,
        "If it is an archive: oci-archive:app.tar, or docker-archive:app.tar if 'docker save' has made it.",
      );
      return true;
    });
    // What a registry has is taken from there, whatever files there are.
    mkdirSync('my');
    writeFileSync('my/image:v1', '');
    assert.equal((await pull(accept, options, 'my/image:v1')).manifestDigest, DIGEST);
  } finally {
    process.chdir(before);
  }
});
