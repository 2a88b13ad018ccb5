import assert from 'node:assert/strict';
import { closeSync, readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import type { ObjectId } from '../../../src/composefs/fsverity/object-id.js';
import type { Repository } from '../../../src/composefs/repository/index.js';
import { importLayer } from '../../../src/oci/import/layer/import-layer.js';
import { storeBlob } from '../../../src/oci/import/layer/store-tar.js';
import { ensureComposefsErofs } from '../../../src/oci/import/upgrade.js';
import { createFilesystem } from '../../../src/oci/layer/filesystem.js';
import { layerDumpfile, layerInfo, layerTar } from '../../../src/oci/layer/inspect-layer.js';
import { parseOciDigest, sha256ContentDigest } from '../../../src/oci/model/digest.js';
import { parseManifest } from '../../../src/oci/model/manifest.js';
import { openBlob, writeBlob } from '../../../src/oci/store/blob.js';
import { openConfig, writeConfig, writeConfigRaw } from '../../../src/oci/store/config-stream.js';
import { OciImageNotFound, OciRefNotFound } from '../../../src/oci/store/errors.js';
import { bootImageRefKey, layerContentId } from '../../../src/oci/store/identifiers.js';
import { OciImage } from '../../../src/oci/store/image.js';
import { inspectImage, listImages } from '../../../src/oci/store/listing.js';
import {
  composefsBootErofsForConfig,
  composefsBootErofsForManifest,
  composefsErofsForConfig,
  composefsErofsForManifest,
} from '../../../src/oci/store/lookup.js';
import { hasManifest, writeManifest, writeManifestRaw } from '../../../src/oci/store/manifest-stream.js';
import { addReferrer } from '../../../src/oci/store/referrers.js';
import { tagImage } from '../../../src/oci/store/tags.js';
import { writeStream } from '../../composefs/repository/temp-repository.js';
import { blob, buildArtifact, buildImage, dataLayerTar, LAYER_TYPE, spdxArtifact } from '../../support/oci-fixtures.js';
import {
  chunksOf,
  deleteObject,
  externalObject,
  failsWith,
  replaceObject,
  type StoredImage,
  storeArtifact,
  storeContainer,
  tempRepository,
} from '../oci-support.js';

const TARS = [dataLayerTar(10), dataLayerTar(3000)];
const LABELS = { 'org.example.name': 'value', constructor: 'own' };
const IMAGE = buildImage(TARS, {
  config: { created: '2026-01-02T03:04:05Z', author: 'someone', config: { Labels: LABELS } },
});
const ABSENT = sha256ContentDigest(Buffer.from('absent'));

async function withImage(t: TestContext): Promise<{ repo: Repository; stored: StoredImage }> {
  const repo = await tempRepository(t, { algorithm: 'sha256' });
  return { repo, stored: await storeContainer(repo, TARS, IMAGE) };
}

test('an image tells what its documents say (spec 40 §14.4)', async (t) => {
  const { repo, stored } = await withImage(t);
  const image = OciImage.open(repo, stored.digest);
  assert.equal(image.isContainerImage(), true);
  assert.equal(image.manifestDigest, stored.digest);
  assert.equal(image.manifestVerity, stored.manifestVerity);
  assert.deepEqual(image.manifest, parseManifest(IMAGE.manifest.bytes).value);
  assert.equal(image.configDigest, stored.configDigest);
  assert.equal(image.configVerity, stored.configVerity);
  assert.equal(image.config?.author, 'someone');
  assert.deepEqual([...image.layerRefs], IMAGE.diffIds.map((id, i) => [id, stored.layers[i]]).sort());
  assert.deepEqual(image.layerDiffIds(), IMAGE.diffIds);
  assert.deepEqual(
    image.layerDescriptors(),
    IMAGE.layers.map((layer) => layer.descriptor),
  );
  assert.equal(image.layerVerity(IMAGE.diffIds[1] ?? ''), stored.layers[1]);
  assert.equal(image.layerVerity(ABSENT), undefined);
  assert.deepEqual([image.architecture(), image.os(), image.created()], ['amd64', 'linux', '2026-01-02T03:04:05Z']);
  assert.deepEqual({ ...image.labels() }, LABELS);
  assert.equal(image.label('org.example.name'), 'value');
  assert.equal(image.label('constructor'), 'own');
  assert.equal(image.label('toString'), undefined);
  assert.deepEqual(image.readManifestJson(repo), IMAGE.manifest.bytes);
  assert.deepEqual(image.readConfigJson(repo), IMAGE.config.bytes);
  for (const version of [0, 1, 2] as const) {
    assert.equal(image.imageRef(version), undefined);
    assert.equal(image.bootImageRef(version), undefined);
  }
});

test('an artifact has no platform, no diff_ids and no EROFS, and its blob is a file (spec 40 §16.9, 6)', async (t) => {
  const repo = await tempRepository(t);
  const artifact = spdxArtifact();
  const { digest } = await storeArtifact(repo, artifact);
  assert.equal(await ensureComposefsErofs(repo, digest, { tag: 'never' }), undefined);
  assert.throws(() => OciImage.openRef(repo, 'never'), OciRefNotFound);
  await tagImage(repo, digest, 'sbom');
  const image = OciImage.openRef(repo, 'sbom');
  assert.equal(image.isContainerImage(), false);
  assert.equal(image.config, undefined);
  assert.deepEqual([image.architecture(), image.os(), image.created(), image.labels()], ['', '', undefined, undefined]);
  assert.equal(image.label('x'), undefined);
  assert.deepEqual(image.layerDiffIds(), []);
  assert.equal(image.imageRef(1) ?? image.imageRef(2) ?? image.bootImageRef(1), undefined);
  assert.equal(composefsErofsForManifest(repo, digest, 1), undefined);
  assert.throws(() => composefsErofsForConfig(repo, image.configDigest, 1));
  const [layer] = artifact.layers;
  assert.ok(layer !== undefined);
  assert.deepEqual([...image.layerRefs.keys()], [layer.descriptor.digest]);
  const fd = image.openLayerFd(repo, 0);
  const content = readFileSync(fd);
  closeSync(fd);
  assert.deepEqual(content, layer.bytes);
});

test('a layer descriptor is for blobs only, and each refusal says why', async (t) => {
  const repo = await tempRepository(t);
  const tar = blob(`${LAYER_TYPE}+gzip`, Buffer.from('not read'));
  const missing = blob('text/plain', Buffer.from('missing'));
  const small = blob('text/plain', Buffer.from('small'));
  const artifact = buildArtifact([tar, missing, small]);
  const [config, verity] = await writeConfigFor(repo);
  const links = {
    configDigest: artifact.config.descriptor.digest,
    configVerity: verity,
    layers: [[small.descriptor.digest, await writeStream(repo, 'inline')] as const],
  };
  assert.ok(config);
  await writeManifestRaw(repo, artifact.manifest.bytes, artifact.manifest.descriptor.digest, links);
  const image = OciImage.open(repo, artifact.manifest.descriptor.digest);
  assert.throws(() => image.openLayerFd(repo, 3), { message: 'Layer index 3 out of range' });
  assert.throws(() => image.openLayerFd(repo, -1), { message: 'Layer index -1 out of range' });
  assert.throws(() => image.openLayerFd(repo, 0), {
    message: `open_layer_fd does not support tar layers (media type: ${LAYER_TYPE}+gzip); use the splitstream API instead`,
  });
  assert.throws(() => image.openLayerFd(repo, 1), { message: `No verity for layer ${missing.descriptor.digest}` });
  assert.throws(() => image.openLayerFd(repo, 2), {
    message: 'Expected exactly 1 external ref for artifact layer, got 0',
  });
});

async function writeConfigFor(repo: Repository): Promise<readonly [string, ObjectId]> {
  const { configDigest, configVerity } = await storeArtifact(repo, spdxArtifact());
  return [configDigest, configVerity];
}

test('opening what is not there names it', async (t) => {
  const { repo } = await withImage(t);
  assert.throws(() => OciImage.open(repo, ABSENT), new OciImageNotFound(ABSENT));
  assert.throws(() => OciImage.openRef(repo, 'none'), new OciRefNotFound('none'));
  assert.throws(() => openConfig(repo, ABSENT), failsWith('ENOENT', `Opening stream 'oci-config-${ABSENT}'`));
  assert.throws(() => openBlob(repo, ABSENT), failsWith('ENOENT', `Opening stream 'oci-blob-${ABSENT}'`));
  await assert.rejects(createFilesystem(repo, ABSENT), failsWith('ENOENT', `oci-config-${ABSENT}`));
  const absent = { message: `Layer ${ABSENT} not found` };
  await assert.rejects(layerInfo(repo, ABSENT), absent);
  for (const look of [layerDumpfile, layerTar]) await assert.rejects(look(repo, ABSENT).next(), absent);
});

test('reading by digest detects swapped JSON, reading by verity trusts it (spec 40 §16.9, 8)', async (t) => {
  const { repo, stored } = await withImage(t);
  const edited = (json: Buffer): Buffer =>
    Buffer.from(json.toString().replace('amd64', 'arm64').replace('"layers":[', '"layers": ['));
  replaceObject(repo, externalObject(repo, stored.configVerity), edited(IMAGE.config.bytes));
  const found = sha256ContentDigest(edited(IMAGE.config.bytes));
  assert.throws(() => openConfig(repo, stored.configDigest), {
    code: 'DIGEST_MISMATCH',
    message: `Config integrity check failed: expected ${stored.configDigest}, got ${found}`,
  });
  assert.equal(
    openConfig(repo, stored.configDigest, { configVerity: stored.configVerity }).config.architecture,
    'arm64',
  );

  replaceObject(repo, externalObject(repo, stored.manifestVerity), edited(IMAGE.manifest.bytes));
  assert.throws(() => OciImage.open(repo, stored.digest), {
    code: 'DIGEST_MISMATCH',
    message: `Manifest integrity failed: expected ${stored.digest}, got ${sha256ContentDigest(edited(IMAGE.manifest.bytes))}`,
  });
  assert.equal(OciImage.open(repo, stored.digest, { manifestVerity: stored.manifestVerity }).architecture(), 'arm64');

  const [blobDigest, blobVerity] = await writeBlob(repo, Buffer.from('right'));
  replaceObject(repo, externalObject(repo, blobVerity), 'wrong');
  assert.throws(() => openBlob(repo, blobDigest), /Blob integrity failed: expected sha256:.*, got sha256:/);
  assert.equal(openBlob(repo, blobDigest, { blobVerity }).toString(), 'wrong');
});

test('an image whose manifest stream lacks the config is refused', async (t) => {
  const { repo, stored } = await withImage(t);
  const links = { configDigest: ABSENT, configVerity: stored.configVerity, layers: [] };
  await writeManifestRaw(repo, IMAGE.manifest.bytes, stored.digest, links);
  assert.throws(
    () => OciImage.open(repo, stored.digest),
    failsWith('CONFIG_REF_MISSING', 'Manifest missing config reference'),
  );
});

test('streams of another content type or without exactly one object are refused', async (t) => {
  const { repo, stored } = await withImage(t);
  const [layer] = stored.layers;
  assert.ok(layer !== undefined);
  assert.throws(() => openConfig(repo, stored.configDigest, { configVerity: stored.manifestVerity }), /./);
  assert.throws(
    () => openConfig(repo, stored.configDigest, { configVerity: layer }),
    failsWith('INVALID_SPLITSTREAM', 'Invalid splitstream content type'),
  );
  const writer = repo.createStream(0x67666e6f6369636fn);
  const empty = await repo.writeStream(writer, 'empty');
  assert.throws(() => openConfig(repo, stored.configDigest, { configVerity: empty }), {
    message: 'Expected exactly 1 external object in splitstream, got 0',
  });
  // A blob of an artifact is no layer.
  const blobLayer = await storeBlob(repo.objects, chunksOf(Buffer.from('blob')));
  await repo.registerStream(blobLayer.id, layerContentId(ABSENT));
  await assert.rejects(layerInfo(repo, ABSENT), {
    code: 'NOT_A_LAYER',
    message: `${ABSENT} is the blob of an artifact and no layer`,
  });
});

test('writing a config demands each layer and drops what it does not name (spec 40 §3.2)', async (t) => {
  const { repo, stored } = await withImage(t);
  const { layerRefs } = OciImage.open(repo, stored.digest);
  const extra = new Map([...layerRefs, ['sha256:extra', stored.configVerity] as const]);
  assert.deepEqual(await writeConfigRaw(repo, IMAGE.config.bytes, extra), [stored.configDigest, stored.configVerity]);
  const [first] = IMAGE.diffIds;
  await assert.rejects(writeConfigRaw(repo, IMAGE.config.bytes, new Map([['other', stored.configVerity]])), {
    code: 'MISSING_LAYER',
    message: `missing layer verity for diff_id ${first}. Available keys in refs: ["other"]`,
  });
  await assert.rejects(writeConfigRaw(repo, Buffer.from('{}'), layerRefs));
  // diff_ids are plain strings at this level.
  const config = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: ['sha256:abc123def456'] } };
  const [digest] = await writeConfig(repo, config, new Map([['sha256:abc123def456', stored.configVerity]]));
  assert.deepEqual([...openConfig(repo, digest).layerRefs.keys()], ['sha256:abc123def456']);
});

test('a config stream gives its image refs back sorted by kind (spec 40 §1.4)', async (t) => {
  const { repo, stored } = await withImage(t);
  const { layerRefs } = OciImage.open(repo, stored.digest);
  const [v2, v1] = [stored.manifestVerity, stored.configVerity];
  const [one, two] = stored.layers;
  assert.ok(one !== undefined && two !== undefined);
  const bootImages = new Map([
    [bootImageRefKey(2, 'allowlist-only'), one],
    [bootImageRefKey(1, 'keep-user-xattrs'), two],
  ]);
  const [digest, verity] = await writeConfigRaw(repo, IMAGE.config.bytes, layerRefs, {
    image: v2,
    imageV1: v1,
    bootImages,
  });
  const open = openConfig(repo, digest);
  assert.deepEqual(open.raw, IMAGE.config.bytes);
  assert.deepEqual(open.layerRefs, layerRefs);
  assert.deepEqual([open.image, open.imageV1, open.bootImages], [v2, v1, bootImages]);
  assert.deepEqual([...bootImages.keys()], ['composefs.image.boot', 'composefs.image.boot.v1.xattrs=keep-user-xattrs']);

  const lookups = ([0, 1, 2] as const).map((version) => [
    composefsErofsForConfig(repo, digest, version),
    composefsBootErofsForConfig(repo, digest, version, { configVerity: verity }),
    composefsBootErofsForConfig(repo, digest, version, { configVerity: verity, xattrs: 'keep-user-xattrs' }),
  ]);
  assert.deepEqual(lookups, [
    [v1, undefined, two],
    [v1, undefined, two],
    [v2, one, undefined],
  ]);
  const links = { configDigest: digest, configVerity: verity, layers: [...layerRefs] };
  const manifest = await writeManifestRaw(repo, IMAGE.manifest.bytes, stored.digest, links);
  const forManifest = ([0, 1, 2] as const).map((version) => [
    composefsErofsForManifest(repo, stored.digest, version, { manifestVerity: manifest }),
    composefsBootErofsForManifest(repo, stored.digest, version),
    composefsBootErofsForManifest(repo, stored.digest, version, { xattrs: 'keep-user-xattrs' }),
  ]);
  assert.deepEqual(forManifest, lookups);
  // Without images to keep, all links go.
  const [, plain] = await writeConfigRaw(repo, IMAGE.config.bytes, layerRefs);
  assert.equal(plain, stored.configVerity);
});

test('writeManifest checks the digest, and a manifest that is stored wins (spec 40 §16.9, 7)', async (t) => {
  const { repo, stored } = await withImage(t);
  const other = buildImage([TARS[0] ?? Buffer.alloc(0)]);
  const { value } = parseManifest(other.manifest.bytes);
  const { digest } = other.manifest.descriptor;
  const wrong = writeManifest(repo, value, ABSENT, stored.configVerity, [], 'tag');
  await assert.rejects(wrong, {
    code: 'DIGEST_MISMATCH',
    message: `Manifest digest mismatch: expected ${ABSENT}, got ${digest}`,
  });
  assert.equal(hasManifest(repo, ABSENT), undefined);
  await assert.rejects(writeManifest(repo, value, digest, stored.configVerity, [], '@tag'), /leading '@' is reserved/);
  assert.equal(hasManifest(repo, digest), undefined);

  const first = await writeManifest(repo, value, digest, stored.configVerity, []);
  assert.equal(hasManifest(repo, digest), first[1]);
  const [layer] = stored.layers;
  assert.ok(layer !== undefined);
  assert.deepEqual(await writeManifest(repo, value, digest, stored.manifestVerity, [['x', layer]], 'tag'), first);
  assert.equal(OciImage.openRef(repo, 'tag').manifestVerity, first[1]);
});

test('the file system of an image is checked against its diff_ids unless the config is trusted', async (t) => {
  const { repo, stored } = await withImage(t);
  const other = await importLayer(repo, sha256ContentDigest(dataLayerTar(20)), undefined, chunksOf(dataLayerTar(20)));
  const refs = new Map(IMAGE.diffIds.map((diffId) => [diffId as string, other.verity]));
  const [, verity] = await writeConfigRaw(repo, IMAGE.config.bytes, refs);
  await assert.rejects(createFilesystem(repo, stored.configDigest), /Layer has incorrect checksum/);
  assert.ok(await createFilesystem(repo, stored.configDigest, { configVerity: verity }));
  // The one that was written first is right.
  assert.ok(await createFilesystem(repo, stored.configDigest, { configVerity: stored.configVerity }));
});

test('all images are listed by tag; what cannot be opened is left out and told', async (t) => {
  const { repo, stored } = await withImage(t);
  const artifact = await storeArtifact(repo, spdxArtifact());
  const broken = buildImage([dataLayerTar(20)]);
  const { digest: brokenDigest, manifestVerity } = await storeContainer(repo, [dataLayerTar(20)], broken);
  await tagImage(repo, stored.digest, 'z');
  await tagImage(repo, stored.digest, 'registry/image:1');
  await tagImage(repo, artifact.digest, 'artifact');
  await tagImage(repo, brokenDigest, 'broken');
  addReferrer(repo, stored.digest, artifact.digest);
  deleteObject(repo, externalObject(repo, manifestVerity));
  const warnings: string[] = [];
  const container = {
    manifestDigest: stored.digest,
    isContainer: true,
    architecture: 'amd64',
    os: 'linux',
    created: '2026-01-02T03:04:05Z',
    layerCount: 2,
    referrerCount: 1,
  };
  const images = await listImages(repo, { onWarning: (text) => warnings.push(text) });
  assert.deepEqual(images, [
    {
      name: 'artifact',
      manifestDigest: artifact.digest,
      isContainer: false,
      architecture: '',
      os: '',
      created: null,
      layerCount: 1,
      referrerCount: 0,
    },
    { name: 'registry/image:1', ...container },
    { name: 'z', ...container },
  ]);
  assert.deepEqual(Object.keys(images[0] ?? {}), [
    'name',
    'manifestDigest',
    'isContainer',
    'architecture',
    'os',
    'created',
    'layerCount',
    'referrerCount',
  ]);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /^skipping image broken: /);
});

test('an inspection has the stored documents and the links for the format of the repository', async (t) => {
  const { repo, stored } = await withImage(t);
  const artifact = await storeArtifact(repo, spdxArtifact());
  addReferrer(repo, stored.digest, artifact.digest);
  const before = await inspectImage(repo, OciImage.open(repo, stored.digest));
  assert.deepEqual(before, {
    manifest: IMAGE.manifest.bytes,
    config: IMAGE.config.bytes,
    referrers: [artifact.digest],
    composefsErofs: undefined,
    composefsBootErofs: undefined,
  });
  const id = await ensureComposefsErofs(repo, stored.digest);
  assert.equal((await inspectImage(repo, OciImage.open(repo, stored.digest))).composefsErofs, id);
});

test('a snapshot reads its documents after a rewrite, until the old streams are collected', async (t) => {
  const { repo, stored } = await withImage(t);
  await tagImage(repo, stored.digest, 'tag');
  const before = OciImage.open(repo, stored.digest);
  await ensureComposefsErofs(repo, stored.digest);
  assert.deepEqual(before.readConfigJson(repo), IMAGE.config.bytes);
  assert.deepEqual(before.readManifestJson(repo), IMAGE.manifest.bytes);
  await repo.gc({ threads: 0 });
  assert.throws(() => before.readConfigJson(repo), failsWith('ENOENT'));
  assert.deepEqual(OciImage.openRef(repo, 'tag').readConfigJson(repo), IMAGE.config.bytes);
});

test('importing a layer under a diff_id that is not its own stores no name (H-1)', async (t) => {
  const repo = await tempRepository(t);
  const [tar = Buffer.alloc(0)] = TARS;
  const right = sha256ContentDigest(tar);
  await assert.rejects(importLayer(repo, ABSENT, 'name', chunksOf(tar)), {
    code: 'DIFF_ID_MISMATCH',
    message: `layer content does not match declared diff_id: expected ${ABSENT}, got ${right}`,
  });
  assert.equal(repo.hasStream(layerContentId(ABSENT)), undefined);
  assert.equal(repo.hasNamedStream('name'), false);
  await assert.rejects(importLayer(repo, right, undefined, chunksOf(tar.subarray(0, 700))));
  await assert.rejects(importLayer(repo, parseOciDigest('xxhash:42'), undefined, chunksOf(tar)), {
    code: 'UNSUPPORTED_DIGEST',
  });
  for (const name of ['', '/abs', 'a/', 'a//b', '../up', 'a/./b', 'a\0b']) {
    await assert.rejects(importLayer(repo, right, name, chunksOf(tar)), { code: 'INVALID_REF_NAME' });
  }
  assert.equal(repo.hasStream(layerContentId(right)), undefined);
  // One byte at a time is the same layer.
  const { verity } = await importLayer(repo, right, 'base/2026', chunksOf(tar, 100));
  assert.equal((await importLayer(await tempRepository(t), right, undefined, chunksOf(tar))).verity, verity);
});

test('an aborted import of a layer stores no name', async (t) => {
  const repo = await tempRepository(t);
  const [tar = Buffer.alloc(0)] = TARS;
  const controller = new AbortController();
  const reason = new Error('enough');
  async function* slow(): AsyncGenerator<Buffer> {
    yield tar.subarray(0, 512);
    controller.abort(reason);
    yield tar.subarray(512);
  }
  const diffId = sha256ContentDigest(tar);
  await assert.rejects(importLayer(repo, diffId, undefined, slow(), { signal: controller.signal }), reason);
  assert.equal(repo.hasStream(layerContentId(diffId)), undefined);
});
