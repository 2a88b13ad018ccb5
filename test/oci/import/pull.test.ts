import assert from 'node:assert/strict';
import { existsSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import type { Repository } from '../../../src/composefs/repository/index.js';
import { errorChain } from '../../../src/errors.js';
import { pull } from '../../../src/oci/import/pull.js';
import { layerTar } from '../../../src/oci/layer/inspect-layer.js';
import { type OciDigest, sha256ContentDigest } from '../../../src/oci/model/digest.js';
import { DOCKER_IMAGE_CONFIG } from '../../../src/oci/model/media-types.js';
import { OciImage } from '../../../src/oci/store/image.js';
import { listRefs, resolveRef } from '../../../src/oci/store/tags.js';
import { RecordingReporter } from '../../../src/progress.js';
import { rejectionOf } from '../../support/failures.js';
import {
  blob,
  buildArtifact,
  buildImage,
  dataLayerTar,
  fxBoot,
  fxLarge,
  fxOci,
  gzipMembers,
  LAYER_TYPE,
  type LayerCompression,
  LayoutBuilder,
  spdxArtifact,
  type TestImage,
  zstdFrames,
} from '../../support/oci-fixtures.js';
import { tarArchive, tarDirectory, tarFile } from '../../support/tar-builder.js';
import {
  externalObject,
  failsWith,
  isSound,
  layoutOf,
  objectIds,
  PULL,
  repositoryIsClean,
  tempDir,
  tempRepository,
} from '../oci-support.js';
import { IMAGE, messages, pullWithEvents, TARS } from './pull-support.js';

test('a first pull reports the plan, then each layer from start to end, then the manifest (spec 40 §13.2)', async (t) => {
  const repo = await tempRepository(t);
  const [result, events] = await pullWithEvents(repo, layoutOf(t, IMAGE), 'tag');
  const total = IMAGE.layers.reduce((sum, layer) => sum + layer.bytes.length, 0);
  assert.deepEqual(events.slice(0, 2), [
    { type: 'message', text: `Fetching config ${IMAGE.config.descriptor.digest}` },
    { type: 'plan', total, present: 0, unit: 'bytes' },
  ]);
  assert.deepEqual(events.at(-1), { type: 'message', text: `Storing manifest ${IMAGE.manifest.descriptor.digest}` });
  for (const [index, diffId] of IMAGE.diffIds.entries()) {
    const size = IMAGE.layers[index]?.bytes.length ?? -1;
    const own = events.filter((event) => 'id' in event && event.id === diffId);
    assert.deepEqual(own[0], { type: 'started', id: diffId, total: size, unit: 'bytes' });
    assert.deepEqual(own.at(-1), { type: 'done', id: diffId, transferred: size });
    const between = own.slice(1, -1);
    assert.ok(between.length > 0);
    let last = 0;
    for (const event of between) {
      assert.ok(event.type === 'progress' && event.fetched > last && event.total === size);
      last = event.fetched;
    }
    assert.equal(last, size);
  }
  assert.equal(events.length, events.filter((event) => 'id' in event).length + 3);
  assert.deepEqual([result.stats.layers, result.stats.layersAlreadyPresent], [3, 0]);
  assert.deepEqual([result.stats.objectsCopied, result.stats.bytesCopied], [2, 73000]);
  assert.deepEqual(resolveRef(repo, 'tag'), [result.manifestDigest, result.manifestVerity]);
  const image = OciImage.openRef(repo, 'tag');
  assert.deepEqual([image.configDigest, image.configVerity], [result.configDigest, result.configVerity]);
  assert.ok(image.imageRef(1) !== undefined);
});

test('the largest layers come first', async (t) => {
  const progress = new RecordingReporter();
  const image = buildImage(TARS, { compression: 'none' });
  await pull(await tempRepository(t), layoutOf(t, image), undefined, { ...PULL, concurrency: 1, progress });
  const started = progress.events.flatMap((event) => (event.type === 'started' ? [event.id] : []));
  assert.deepEqual(started, [...image.diffIds].reverse());
});

test('a second pull finds everything, says so, and changes nothing (spec 40 §16.9, 1)', async (t) => {
  const repo = await tempRepository(t);
  const reference = layoutOf(t, IMAGE);
  const [first] = await pullWithEvents(repo, reference, 'tag');
  const objects = objectIds(repo);
  const [second, events] = await pullWithEvents(repo, reference, 'other');
  const total = IMAGE.layers.reduce((sum, layer) => sum + layer.bytes.length, 0);
  assert.deepEqual(events, [
    { type: 'message', text: `Already have container config ${first.configDigest}` },
    { type: 'plan', total, present: total, unit: 'bytes' },
    ...IMAGE.diffIds.map((id) => ({ type: 'skipped', id }) as const),
    { type: 'message', text: `Already have manifest ${first.manifestDigest}` },
  ]);
  assert.deepEqual({ ...second, stats: first.stats, layers: first.layers }, first);
  assert.deepEqual(
    second.layers.map(({ key, wasPresent }) => [key, wasPresent]),
    IMAGE.diffIds.map((id) => [id, true]),
  );
  assert.deepEqual([second.stats.layers, second.stats.layersAlreadyPresent, second.stats.objectsCopied], [3, 3, 0]);
  assert.deepEqual(objectIds(repo), objects);
  assert.deepEqual(
    listRefs(repo).map(([tag]) => tag),
    ['other', 'tag'],
  );
});

test('an image without its own layers brings only those that are missing', async (t) => {
  const repo = await tempRepository(t);
  await pull(repo, layoutOf(t, buildImage(TARS.slice(0, 2))), undefined, PULL);
  const [result, events] = await pullWithEvents(repo, layoutOf(t, IMAGE), undefined);
  assert.deepEqual([result.stats.layers, result.stats.layersAlreadyPresent], [3, 2]);
  assert.deepEqual(
    events.flatMap((event) => (event.type === 'skipped' ? [event.id] : [])),
    IMAGE.diffIds.slice(0, 2),
  );
});

test('an archive gives the same ids as its layout, and as every compression of its layers', async (t) => {
  const ids = async (make: (repo: Repository) => Promise<string>): Promise<unknown[]> => {
    const repo = await tempRepository(t);
    const result = await pull(repo, await make(repo), 'tag', PULL);
    return [result.manifestVerity, objectIds(repo)];
  };
  const layout = await ids(async () => layoutOf(t, IMAGE));
  const archive = join(tempDir(t), 'image.tar');
  writeFileSync(archive, new LayoutBuilder().addImage(IMAGE, { tag: 'v1' }).archive());
  assert.deepEqual(await ids(async () => `oci-archive:${archive}`), layout);
  assert.deepEqual(await ids(async () => `oci-archive:${archive}:v1`), layout);

  const images = new Set<string>();
  for (const compression of ['none', 'gzip', 'zstd'] satisfies LayerCompression[]) {
    const repo = await tempRepository(t);
    await pull(repo, layoutOf(t, buildImage(TARS, { compression })), 'tag', PULL);
    const image = OciImage.openRef(repo, 'tag');
    images.add(JSON.stringify([image.configDigest, image.configVerity, image.imageRef(1), [...image.layerRefs]]));
  }
  assert.equal(images.size, 1);
});

test('all gzip members and all zstd frames of a layer are decoded (B-1)', async (t) => {
  const [tar = Buffer.alloc(0)] = [fxLargeTar()];
  const pieces = [tar.subarray(0, 1536), tar.subarray(1536, 9000), tar.subarray(9000)];
  for (const [suffix, bytes] of [
    ['+gzip', gzipMembers(...pieces)],
    ['+zstd', zstdFrames(...pieces)],
  ] as const) {
    const layer = blob(LAYER_TYPE + suffix, bytes);
    const repo = await tempRepository(t);
    const image = withLayers(buildImage([tar]), [layer]);
    await pull(repo, layoutOf(t, image), 'tag', PULL);
    const [diffId] = image.diffIds;
    assert.ok(diffId !== undefined);
    assert.deepEqual(await buffer(layerTar(repo, diffId)), tar);
  }
});

function fxLargeTar(): Buffer {
  return tarArchive(
    [tarDirectory('usr/'), ...[1, 2, 3].map((i) => tarFile(`usr/f${i}`, Buffer.alloc(5000 + i, i)))],
    10240,
  );
}

/** The image with other layers, whose contents are the same. */
function withLayers(image: TestImage, layers: TestImage['layers'], mediaType?: string): TestImage {
  const document = JSON.parse(image.manifest.bytes.toString());
  document.layers = layers.map((layer) => layer.descriptor);
  if (mediaType !== undefined) document.config.mediaType = mediaType;
  const bytes = Buffer.from(JSON.stringify(document));
  return { ...image, layers, manifest: blob(image.manifest.descriptor.mediaType, bytes) };
}

test("Docker's layer types are tars, decompressed by their content (H-4)", async (t) => {
  const type = 'application/vnd.docker.image.rootfs.diff.tar.gzip';
  for (const compression of ['none', 'gzip', 'zstd'] satisfies LayerCompression[]) {
    const image = buildImage(TARS, { compression, layerDescriptor: () => ({ mediaType: type }) });
    const repo = await tempRepository(t);
    await pull(repo, layoutOf(t, image), 'tag', PULL);
    assert.deepEqual([...OciImage.openRef(repo, 'tag').layerRefs.keys()].sort(), [...IMAGE.diffIds].sort());
    assert.ok(await isSound(repo));
  }
});

test('layers of an unknown media type in a container image are refused, not stored as blobs', async (t) => {
  const repo = await tempRepository(t);
  const image = buildImage(TARS, { layerDescriptor: () => ({ mediaType: 'text/plain' }) });
  await assert.rejects(
    pull(repo, layoutOf(t, image), 'tag', PULL),
    failsWith('UNSUPPORTED_MEDIA_TYPE', 'Unsupported layer media type for decompression: text/plain'),
  );
  assert.ok((await repositoryIsClean(repo)) && listRefs(repo).length === 0);
});

test('a diff_id that is listed twice is imported once (B-18)', async (t) => {
  const [first = Buffer.alloc(0), second = first] = TARS;
  const image = buildImage([first, second, first]);
  const repo = await tempRepository(t);
  const [result, events] = await pullWithEvents(repo, layoutOf(t, image), 'tag');
  assert.equal(events.filter((event) => event.type === 'started').length, 2);
  assert.equal(result.stats.layers, 3);
  const stored = OciImage.openRef(repo, 'tag');
  assert.deepEqual(stored.layerDiffIds(), image.diffIds);
  assert.equal(stored.layerRefs.size, 2);
  assert.ok(await isSound(repo));
  // The stream is written as by hand: each ref once, in diff_id order.
  const [again] = await pullWithEvents(repo, layoutOf(t, image), 'tag');
  assert.equal(again.manifestVerity, result.manifestVerity);
});

test('artifacts that share their config each have their own layers (B-7)', async (t) => {
  const repo = await tempRepository(t);
  const texts = ['first', 'second'];
  const artifacts = texts.map((text) => buildArtifact([blob('text/plain', Buffer.from(text))]));
  assert.equal(artifacts[0]?.config.descriptor.digest, artifacts[1]?.config.descriptor.digest);
  for (const [index, artifact] of artifacts.entries()) await pull(repo, layoutOf(t, artifact), texts[index], PULL);
  for (const text of texts) {
    const image = OciImage.openRef(repo, text);
    const digest = sha256ContentDigest(Buffer.from(text));
    assert.deepEqual([...image.layerRefs.keys()], [digest]);
    const stream = image.layerVerity(digest);
    assert.ok(stream !== undefined);
    assert.equal(repo.objects.readObject(externalObject(repo, stream)).toString(), text);
  }
  assert.ok(await isSound(repo));
  await repo.gc({ threads: 0 });
  assert.ok(await isSound(repo));
});

test('an artifact of a tar layer splits it and keeps it under the digest of its blob (spec 40 §4.9)', async (t) => {
  const [tar = Buffer.alloc(0)] = TARS;
  const layer = blob(LAYER_TYPE, tar);
  const repo = await tempRepository(t);
  await pull(repo, layoutOf(t, buildArtifact([layer, ...spdxArtifact().layers])), 'tag', PULL);
  const image = OciImage.openRef(repo, 'tag');
  assert.equal(image.isContainerImage(), false);
  assert.equal(image.layerRefs.size, 2);
  assert.deepEqual(await buffer(layerTar(repo, layer.descriptor.digest)), tar);
  assert.equal(image.imageRef(1), undefined);
  assert.ok(await isSound(repo));
});

test('an artifact without layers is stored and tagged', async (t) => {
  const repo = await tempRepository(t);
  await pull(repo, layoutOf(t, buildArtifact([])), 'empty', PULL);
  assert.deepEqual(OciImage.openRef(repo, 'empty').layerDescriptors(), []);
  assert.ok(await isSound(repo));
});

test('the wanted platform of an index is taken, and its absence is said before anything is stored', async (t) => {
  const arm = buildImage([dataLayerTar(20)], { architecture: 'arm64' });
  const layout = new LayoutBuilder().addIndex([IMAGE, arm], { tag: 'multi' }).write(join(tempDir(t), 'layout'));
  const repo = await tempRepository(t);
  const platform = { architecture: 'arm64', os: 'linux' };
  const { manifestDigest } = await pull(repo, `oci:${layout}:multi`, 'arm', { ...PULL, platform });
  assert.equal(manifestDigest, arm.manifest.descriptor.digest);
  assert.equal(OciImage.openRef(repo, 'arm').architecture(), 'arm64');
  assert.equal((await pull(repo, `oci:${layout}`, undefined, PULL)).manifestDigest, IMAGE.manifest.descriptor.digest);

  const fresh = await tempRepository(t);
  const s390x = { architecture: 's390x', os: 'linux' };
  await assert.rejects(
    pull(fresh, `oci:${layout}`, 'tag', { ...PULL, platform: s390x }),
    failsWith('PLATFORM_NOT_FOUND', 'No manifest found for platform linux/s390x; available: linux/amd64, linux/arm64'),
  );
  assert.deepEqual(objectIds(fresh), []);
});

test('unusual JSON keeps its bytes and digests through pull, EROFS and a second pull (spec 40 §16.9, 2)', async (t) => {
  const odd = (json: Buffer): Buffer => {
    const document = JSON.parse(json.toString());
    return Buffer.from(`${JSON.stringify({ unknown: { 'ünï/': 1.5e300 }, ...document }, null, '\t')}\n \n`);
  };
  const image = buildImage(TARS, { editConfig: odd, editManifest: odd });
  const repo = await tempRepository(t);
  for (let i = 0; i < 2; i++) {
    const { manifestDigest } = await pull(repo, layoutOf(t, image), 'odd', PULL);
    assert.equal(manifestDigest, sha256ContentDigest(image.manifest.bytes));
    const stored = OciImage.openRef(repo, 'odd');
    assert.deepEqual(stored.readManifestJson(repo), image.manifest.bytes);
    assert.deepEqual(stored.readConfigJson(repo), image.config.bytes);
    assert.ok(stored.imageRef(1) !== undefined);
  }
  assert.ok(await isSound(repo));
});

test('what a tag may not be is refused before anything is read or stored (B-9)', async (t) => {
  const repo = await tempRepository(t);
  for (const tag of ['@tag', '', '..', 'x'.repeat(256)]) {
    await assert.rejects(pull(repo, 'oci:/nonexistent', tag, PULL), { code: 'INVALID_REF_NAME' });
  }
  await assert.rejects(pull(repo, 'oci:/nonexistent', 'tag', PULL), failsWith('ENOENT', '/nonexistent'));
  assert.deepEqual(objectIds(repo), []);
});

test('a repository whose format is V0 is refused before anything is fetched (B-8)', async (t) => {
  const repo = await tempRepository(t, { erofsFormats: { default: 0, extra: [] } });
  const progress = new RecordingReporter();
  await assert.rejects(pull(repo, layoutOf(t, IMAGE), 'tag', { ...PULL, progress }), { code: 'UNSUPPORTED_FORMAT' });
  assert.deepEqual([progress.events, objectIds(repo)], [[], []]);
});

test('bootable and large fixtures are sound after a pull, and collected completely after untagging', async (t) => {
  const repo = await tempRepository(t, { erofsFormats: { default: 2, extra: [1] } });
  for (const [tag, image] of Object.entries({ oci: fxOci(), boot: fxBoot(), large: fxLarge() })) {
    await pull(repo, layoutOf(t, image), tag, PULL);
    const stored = OciImage.openRef(repo, tag);
    assert.ok(stored.imageRef(1) !== undefined && stored.imageRef(2) !== undefined);
  }
  assert.equal((await repo.gc({ threads: 0 })).imagesPruned, 0);
  assert.ok(await isSound(repo));
});

test('an image of Docker documents is a container image', async (t) => {
  const image = withLayers(IMAGE, IMAGE.layers, DOCKER_IMAGE_CONFIG);
  const repo = await tempRepository(t);
  await pull(repo, layoutOf(t, image), 'docker', PULL);
  const stored = OciImage.openRef(repo, 'docker');
  assert.deepEqual(stored.layerDiffIds(), IMAGE.diffIds);
  assert.ok(stored.imageRef(1) !== undefined);
  assert.ok(await isSound(repo));
});

test('messages name the config and the manifest', async (t) => {
  const repo = await tempRepository(t);
  const artifact = spdxArtifact();
  const [, events] = await pullWithEvents(repo, layoutOf(t, artifact), 'tag');
  assert.deepEqual(messages(events), [
    `Fetching config ${artifact.config.descriptor.digest}`,
    `Storing manifest ${artifact.manifest.descriptor.digest}`,
  ]);
  assert.ok(existsSync(join(repo.path, 'streams/refs/oci/tag')));
});

test('an import that fails says of which image and of which part of it (spec 40 §4.5)', async (t) => {
  const repo = await tempRepository(t);
  const { digest } = IMAGE.manifest.descriptor;
  const content = `Failed to import image content for manifest ${digest}`;
  const config = IMAGE.config.descriptor.digest;
  const [layer] = IMAGE.layers;
  assert.ok(layer !== undefined);
  const failure = async (reference: string): Promise<string[]> =>
    errorChain(await rejectionOf(pull(repo, reference, 'tag', PULL)));
  const without = (blobDigest: OciDigest): string => {
    const path = tempDir(t);
    new LayoutBuilder().addImage(IMAGE, { tag: 'v1' }).write(path);
    unlinkSync(join(path, 'blobs/sha256', blobDigest.slice('sha256:'.length)));
    return path;
  };
  const noConfig = without(config);
  assert.deepEqual((await failure(`oci:${noConfig}:v1`)).slice(0, 3), [
    `Importing OCI layout from ${noConfig}`,
    content,
    `Failed to read config ${config}`,
  ]);
  const noLayer = without(layer.descriptor.digest);
  assert.deepEqual((await failure(`oci:${noLayer}`)).slice(0, 3), [
    `Importing OCI layout from ${noLayer}`,
    content,
    `Failed to import layer ${layer.descriptor.digest}`,
  ]);
  const bad = buildImage(TARS, { editConfig: () => Buffer.from('{') });
  const badLayout = layoutOf(t, bad);
  assert.deepEqual((await failure(badLayout)).slice(0, 3), [
    `Importing OCI layout from ${badLayout.slice('oci:'.length)}`,
    `Failed to import image content for manifest ${bad.manifest.descriptor.digest}`,
    `Failed to parse config ${bad.config.descriptor.digest}`,
  ]);
  assert.deepEqual(await failure(`oci:${noLayer}:v2`), [
    `Importing OCI layout from ${noLayer}`,
    'Resolving manifest for platform',
    "Tag 'v2' not found in image index",
  ]);
  assert.equal((await failure('oci-archive:/nonexistent.tar'))[0], 'Importing OCI layout from /nonexistent.tar');
  assert.equal((await failure('dir:/nonexistent'))[0], 'Unable to pull container image dir:/nonexistent');
  for (const text of ['foo:bar', 'foo://bar', 'debian:12']) {
    const transport = text.split(':', 1)[0];
    assert.deepEqual(await failure(text), ['Parsing image reference transport', `Invalid transport: ${transport}`]);
  }
  assert.deepEqual(await failure('docker://user:secret@localhost/app'), [
    'Unable to pull container image docker://…@localhost/app',
    "Invalid image reference '…@localhost/app': credentials are no part of it",
  ]);
});
