import assert from 'node:assert/strict';
import { symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { ObjectId } from '../../../src/composefs/fsverity/object-id.js';
import type { Repository } from '../../../src/composefs/repository/index.js';
import { isOciFsckOk, ociFsck, ociFsckImage } from '../../../src/oci/fsck/fsck.js';
import { formatOciFsckError, type OciFsckError } from '../../../src/oci/fsck/fsck-error.js';
import { sha256ContentDigest } from '../../../src/oci/model/digest.js';
import { writeConfigStream } from '../../../src/oci/store/config-stream.js';
import { configIdentifier, layerContentId, manifestIdentifier } from '../../../src/oci/store/identifiers.js';
import { OciImage } from '../../../src/oci/store/image.js';
import { writeManifestRaw } from '../../../src/oci/store/manifest-stream.js';
import { tagImage } from '../../../src/oci/store/tags.js';
import { buildImage, dataLayerTar, spdxArtifact, type TestImage } from '../../support/oci-fixtures.js';
import {
  deleteObject,
  externalObject,
  replaceObject,
  type StoredImage,
  storeArtifact,
  storeContainer,
  storeTagged,
  tempRepository,
} from '../oci-support.js';

const TARS = [dataLayerTar(10), dataLayerTar(3000)];
const IMAGE = buildImage(TARS);
const [DIFF_ID = sha256ContentDigest(Buffer.alloc(0)), OTHER_DIFF_ID = DIFF_ID] = IMAGE.diffIds;
/** Without worker threads. */
const HERE = { threads: 0 };
const SEAL = 'ab'.repeat(64);

interface Broken {
  readonly repo: Repository;
  readonly stored: StoredImage;
}

async function tagged(t: TestContext): Promise<Broken> {
  const repo = await tempRepository(t);
  return { repo, stored: await storeTagged(repo, TARS, IMAGE, 'image') };
}

async function taggedArtifact(t: TestContext): Promise<Broken> {
  const repo = await tempRepository(t);
  const stored = await storeArtifact(repo, spdxArtifact());
  await tagImage(repo, stored.digest, 'image');
  return { repo, stored };
}

const unlinkStream = (repo: Repository, name: string): void => unlinkSync(join(repo.path, 'streams', name));

/** Checks one broken image, as one of all and by its tag. */
async function findings(repo: Repository): Promise<readonly OciFsckError[]> {
  const all = await ociFsck(repo, HERE);
  assert.equal(isOciFsckOk(all), false);
  assert.deepEqual([all.imagesChecked, all.imagesCorrupted], [1, 1]);
  const one = await ociFsckImage(repo, 'image', HERE);
  assert.deepEqual(one.errors, all.errors);
  return all.errors;
}

test('a healthy image and a healthy artifact are ok (spec 40 §7.3)', async (t) => {
  for (const { repo } of [await tagged(t), await taggedArtifact(t)]) {
    for (const result of [await ociFsck(repo, HERE), await ociFsckImage(repo, 'image', HERE)]) {
      assert.ok(isOciFsckOk(result));
      assert.deepEqual([result.imagesChecked, result.imagesCorrupted, result.errors], [1, 0, []]);
      assert.ok(result.repoResult.objectsChecked > 0);
    }
  }
  const empty = await ociFsck(await tempRepository(t));
  assert.ok(isOciFsckOk(empty) && empty.imagesChecked === 0);
});

test('one broken image does not hide a healthy one', async (t) => {
  const { repo } = await tagged(t);
  const other = buildImage([dataLayerTar(20)]);
  const { digest } = await storeTagged(repo, [dataLayerTar(20)], other, 'healthy');
  unlinkStream(repo, layerContentId(DIFF_ID));
  const result = await ociFsck(repo, HERE);
  assert.deepEqual([result.imagesChecked, result.imagesCorrupted], [2, 1]);
  assert.deepEqual(result.errors, [{ type: 'layer-stream-missing', name: 'image', diffId: DIFF_ID }]);
  assert.deepEqual((await ociFsckImage(repo, 'healthy', HERE)).errors, []);
  assert.ok(digest);
});

test('manifest-read-failed: the stream of a tagged manifest is gone', async (t) => {
  const { repo, stored } = await tagged(t);
  unlinkStream(repo, manifestIdentifier(stored.digest));
  const detail = `Opening stream '${manifestIdentifier(stored.digest)}'`;
  assert.deepEqual((await ociFsck(repo, HERE)).errors, [{ type: 'manifest-read-failed', name: 'image', detail }]);
  assert.deepEqual((await ociFsckImage(repo, 'image', HERE)).errors, [
    { type: 'ref-resolve-failed', name: 'image', detail: `Manifest ${stored.digest} not found` },
  ]);
});

test('manifest-digest-mismatch: the manifest object has other content', async (t) => {
  const { repo, stored } = await tagged(t);
  const { manifestVerity } = OciImage.openRef(repo, 'image');
  replaceObject(repo, externalObject(repo, manifestVerity), 'garbage');
  assert.ok((await ociFsck(repo, HERE)).repoResult.objectsCorrupted > 0);
  assert.deepEqual(await findings(repo), [
    {
      type: 'manifest-digest-mismatch',
      name: 'image',
      expected: stored.digest,
      actual: sha256ContentDigest(Buffer.from('garbage')),
    },
  ]);
});

test('manifest-parse-failed: the manifest is none', async (t) => {
  const { repo, stored } = await tagged(t);
  const json = Buffer.from('{"schemaVersion":2}');
  const digest = sha256ContentDigest(json);
  await writeManifestRaw(repo, json, digest, { ...stored, layers: [] }, 'image');
  const [error, ...others] = await findings(repo);
  assert.ok(error?.type === 'manifest-parse-failed' && error.detail.length > 0);
  assert.deepEqual(others, []);
});

test('config-ref-missing: the manifest stream does not point at the config', async (t) => {
  const { repo, stored } = await tagged(t);
  const links = { configDigest: sha256ContentDigest(Buffer.from('x')), configVerity: stored.configVerity, layers: [] };
  await writeManifestRaw(repo, IMAGE.manifest.bytes, stored.digest, links);
  assert.deepEqual(await findings(repo), [{ type: 'config-ref-missing', name: 'image', digest: stored.configDigest }]);
});

test('config-read-failed: the config stream is gone, or another kind of stream', async (t) => {
  const { repo, stored } = await tagged(t);
  const detail = `Opening stream '${configIdentifier(stored.configDigest)}'`;
  const expected = [{ type: 'config-read-failed', name: 'image', detail }];
  const [layer] = stored.layers;
  assert.ok(layer !== undefined);
  const links = { configDigest: stored.configDigest, configVerity: layer, layers: [] };
  await writeManifestRaw(repo, IMAGE.manifest.bytes, stored.digest, links);
  assert.deepEqual(await findings(repo), expected);
  await ensureFresh(repo, stored);
  deleteObject(repo, OciImage.openRef(repo, 'image').configVerity);
  assert.deepEqual(await findings(repo), expected);
});

async function ensureFresh(repo: Repository, stored: StoredImage): Promise<void> {
  await writeManifestRaw(repo, IMAGE.manifest.bytes, stored.digest, {
    configDigest: stored.configDigest,
    configVerity: stored.configVerity,
    layers: [],
  });
}

test('config-digest-mismatch: the config object has other valid content', async (t) => {
  const { repo, stored } = await tagged(t);
  const other = Buffer.from(IMAGE.config.bytes.toString().replace('amd64', 'arm64'));
  replaceObject(repo, externalObject(repo, stored.configVerity), other);
  assert.deepEqual(await findings(repo), [
    {
      type: 'config-digest-mismatch',
      name: 'image',
      expected: stored.configDigest,
      actual: sha256ContentDigest(other),
    },
  ]);
});

/** Tags an image of this config, whose stream has these refs. */
async function tagConfig(
  t: TestContext,
  image: TestImage,
  refs: (stored: StoredImage) => [string, ObjectId][],
): Promise<Broken> {
  const repo = await tempRepository(t);
  const stored = await storeContainer(repo, TARS, IMAGE);
  const [configDigest, configVerity] = await writeConfigStream(repo, image.config.bytes, refs(stored));
  const { digest } = image.manifest.descriptor;
  const links = { configDigest, configVerity, layers: [] };
  await writeManifestRaw(repo, image.manifest.bytes, digest, links, 'image');
  return { repo, stored };
}

test('config-parse-failed: the image config is none', async (t) => {
  const image = buildImage(TARS, { editConfig: () => Buffer.from('{}') });
  const { repo } = await tagConfig(t, image, () => []);
  const [error, ...others] = await findings(repo);
  assert.ok(error?.type === 'config-parse-failed' && /missing field/.test(error.detail), JSON.stringify(error));
  assert.deepEqual(others, []);
});

test('layer-ref-missing: the config stream does not point at a layer', async (t) => {
  const { repo } = await tagConfig(t, IMAGE, ({ layers }) => [[OTHER_DIFF_ID, layers[1] as ObjectId]]);
  assert.deepEqual(await findings(repo), [{ type: 'layer-ref-missing', name: 'image', diffId: DIFF_ID }]);
});

test('layer-stream-missing and layer-object-missing are found together', async (t) => {
  const { repo, stored } = await tagged(t);
  const [layer] = stored.layers;
  assert.ok(layer !== undefined);
  unlinkStream(repo, layerContentId(DIFF_ID));
  deleteObject(repo, layer);
  const [missing, object, ...others] = await findings(repo);
  assert.deepEqual(missing, { type: 'layer-stream-missing', name: 'image', diffId: DIFF_ID });
  assert.ok(object?.type === 'layer-object-missing' && object.diffId === DIFF_ID);
  assert.match(object.detail, /ENOENT|Opening object/);
  assert.deepEqual(others, []);
});

test('layer-check-failed: a diff_id that is none, a stream that is no link', async (t) => {
  const image = buildImage(TARS, { config: { rootfs: { type: 'layers', diff_ids: ['nonsense'] } } });
  const first = await tagConfig(t, image, ({ layers }) => [['nonsense', layers[0] as ObjectId]]);
  const detail = "Invalid diff_id: missing ':' in digest";
  assert.deepEqual(await findings(first.repo), [
    { type: 'layer-check-failed', name: 'image', diffId: 'nonsense', detail },
  ]);

  const { repo } = await tagged(t);
  unlinkStream(repo, layerContentId(DIFF_ID));
  writeFileSync(join(repo.path, 'streams', layerContentId(DIFF_ID)), '');
  const [error] = await findings(repo);
  assert.ok(
    error?.type === 'layer-check-failed' && error.diffId === DIFF_ID && error.detail.includes('is not a symbolic link'),
  );
});

test('seal-image-missing: the image of the legacy label is not there', async (t) => {
  const sealed = (value: string): TestImage =>
    buildImage(TARS, { config: { config: { Labels: { 'containers.composefs.fsverity': value } } } });
  const refs = ({ layers }: StoredImage): [string, ObjectId][] =>
    IMAGE.diffIds.map((id, i) => [id, layers[i] as ObjectId]);
  const { repo } = await tagConfig(t, sealed(SEAL), refs);
  assert.deepEqual(await findings(repo), [
    { type: 'seal-image-missing', name: 'image', digest: SEAL, detail: `Opening image '${SEAL}'` },
  ]);
  // One that names the image is ok, and one that is no name is a finding and nothing else.
  const healthy = await tagged(t);
  const id = OciImage.openRef(healthy.repo, 'image').imageRef(1);
  assert.ok(id !== undefined);
  const stored = await storeTagged(healthy.repo, TARS, sealed(id), 'image');
  assert.ok(isOciFsckOk(await ociFsck(healthy.repo, HERE)) && stored.digest);
  const hostile = await tagConfig(t, sealed('../../meta.json'), refs);
  assert.deepEqual(
    (await findings(hostile.repo)).map((error) => error.type),
    ['seal-image-missing'],
  );
});

test('artifact-layer-ref-missing and artifact-layer-object-missing', async (t) => {
  const { repo, stored } = await taggedArtifact(t);
  const [digest] = spdxArtifact().layers.map((layer) => layer.descriptor.digest);
  const [layer] = stored.layers;
  assert.ok(digest !== undefined && layer !== undefined);
  deleteObject(repo, layer);
  const [error, ...others] = await findings(repo);
  assert.ok(error?.type === 'artifact-layer-object-missing' && error.digest === digest && error.name === 'image');
  assert.deepEqual(others, []);

  const bare = await taggedArtifact(t);
  await writeManifestRaw(bare.repo, spdxArtifact().manifest.bytes, stored.digest, { ...bare.stored, layers: [] });
  assert.deepEqual(await findings(bare.repo), [{ type: 'artifact-layer-ref-missing', name: 'image', digest }]);
});

test('ref-resolve-failed: a tag that is not there is a finding, not an error', async (t) => {
  const { repo } = await tagged(t);
  const result = await ociFsckImage(repo, 'nonexistent:tag', HERE);
  assert.deepEqual([result.imagesChecked, result.imagesCorrupted], [1, 1]);
  const detail = 'OCI reference not found: nonexistent:tag';
  assert.deepEqual(result.errors, [{ type: 'ref-resolve-failed', name: 'nonexistent:tag', detail }]);
});

test('invalid-ref-name: a tag with a leading @ is reported once and not checked', async (t) => {
  const { repo, stored } = await tagged(t);
  symlinkSync(`../../oci-manifest-${stored.digest}`, join(repo.path, 'streams/refs/oci/@badref'));
  const result = await ociFsck(repo, HERE);
  assert.deepEqual([result.imagesChecked, result.imagesCorrupted], [2, 1]);
  assert.deepEqual(result.errors, [{ type: 'invalid-ref-name', name: '@badref' }]);
});

test('findings print as in the reference (spec 40 §7.2)', () => {
  const [name, detail, digest, diffId] = ['n', 'why', 'sha256:d', 'sha256:l'];
  const lines: [OciFsckError, string][] = [
    [{ type: 'manifest-read-failed', name, detail }, 'manifest-read-failed: n: why'],
    [
      { type: 'manifest-digest-mismatch', name, expected: 'e', actual: 'a' },
      'manifest-digest-mismatch: n: expected e, got a',
    ],
    [{ type: 'manifest-parse-failed', name, detail }, 'manifest-parse-failed: n: why'],
    [{ type: 'config-ref-missing', name, digest }, 'config-ref-missing: n: sha256:d'],
    [{ type: 'config-read-failed', name, detail }, 'config-read-failed: n: why'],
    [
      { type: 'config-digest-mismatch', name, expected: 'e', actual: 'a' },
      'config-digest-mismatch: n: expected e, got a',
    ],
    [{ type: 'config-parse-failed', name, detail }, 'config-parse-failed: n: why'],
    [{ type: 'layer-ref-missing', name, diffId }, 'layer-ref-missing: n: sha256:l'],
    [{ type: 'layer-stream-missing', name, diffId }, 'layer-stream-missing: n: sha256:l'],
    [{ type: 'layer-check-failed', name, diffId, detail }, 'layer-check-failed: n: sha256:l: why'],
    [{ type: 'layer-object-missing', name, diffId, detail }, 'layer-object-missing: n: sha256:l: why'],
    [{ type: 'seal-image-missing', name, digest, detail }, 'seal-image-missing: n: sha256:d: why'],
    [{ type: 'artifact-layer-ref-missing', name, digest }, 'artifact-layer-ref-missing: n: sha256:d'],
    [
      { type: 'artifact-layer-object-missing', name, digest, detail },
      'artifact-layer-object-missing: n: sha256:d: why',
    ],
    [{ type: 'ref-resolve-failed', name, detail }, 'ref-resolve-failed: n: why'],
    [{ type: 'invalid-ref-name', name: '@n' }, "invalid-ref-name: @n: leading '@' is reserved for digest references"],
  ];
  for (const [error, text] of lines) assert.equal(formatOciFsckError(error), `fsck: ${text}`);
});
