import assert from 'node:assert/strict';
import { buffer, text } from 'node:stream/consumers';
import { test } from 'node:test';
import { writeDumpfile } from '../../src/composefs/dumpfile/writer.js';
import type { HashAlgorithm } from '../../src/composefs/fsverity/algorithm.js';
import { computeVerity } from '../../src/composefs/fsverity/digest.js';
import type { ObjectId } from '../../src/composefs/fsverity/object-id.js';
import { importLayer } from '../../src/oci/import/layer/import-layer.js';
import { pull } from '../../src/oci/import/pull.js';
import { ensureComposefsErofs } from '../../src/oci/import/upgrade.js';
import { createFilesystem } from '../../src/oci/layer/filesystem.js';
import { layerDumpfile, layerInfo, layerTar } from '../../src/oci/layer/inspect-layer.js';
import { sha256ContentDigest, sha256Digest } from '../../src/oci/model/digest.js';
import { openBlob, writeBlob } from '../../src/oci/store/blob.js';
import { writeConfig, writeConfigRaw, writeConfigStream } from '../../src/oci/store/config-stream.js';
import { configIdentifier, layerContentId, manifestIdentifier } from '../../src/oci/store/identifiers.js';
import { OciImage } from '../../src/oci/store/image.js';
import { writeManifestRaw } from '../../src/oci/store/manifest-stream.js';
import { tagImage, untagImage } from '../../src/oci/store/tags.js';
import { BASE_IMAGE_DUMP, baseImageLayers, boundaryFilesLayer, zeroFileLayers } from '../support/base-image.js';
import {
  buildBaseImage,
  buildImage,
  dataLayerTar,
  fxOci,
  singleLayerImage,
  spdxArtifact,
  twoLayerImage,
} from '../support/oci-fixtures.js';
import { tarArchive, tarDirectory, tarFile } from '../support/tar-builder.js';
import {
  chunksOf,
  externalObject,
  layoutOf,
  objectIds,
  PULL,
  storeArtifact,
  storeContainer,
  streamBytes,
  tempRepository,
} from './oci-support.js';

const sha256 = { algorithm: 'sha256' } as const;

test('three layers and their config have the published ids (spec 40 §16.1)', async (t) => {
  const repo = await tempRepository(t, sha256);
  const layers = zeroFileLayers();
  const refs = new Map<string, ObjectId>();
  for (const { tar, sha256: hex, splitStreamId, splitStreamSize } of layers) {
    const { verity } = await importLayer(repo, sha256Digest(hex), undefined, chunksOf(tar));
    assert.equal(verity, splitStreamId);
    assert.equal(streamBytes(repo, verity).length, splitStreamSize);
    refs.set(`sha256:${hex}`, verity);
  }
  const diffIds = layers.map((layer) => `sha256:${layer.sha256}`);
  const config = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: diffIds } };
  const reversed = new Map([...refs].reverse());
  for (const order of [refs, reversed]) {
    const [digest, verity] = await writeConfig(repo, config, order);
    assert.equal(digest, 'sha256:5118919cc453352968579aeed8fcc26c7a75759de579722a0f90ed5aaf85bd7d');
    assert.equal(verity, '4839518dea22749f8ff233e7f7baec65f23dd5336462f46ad6884769af84bf95');
    assert.equal(streamBytes(repo, verity).length, 405);
  }
});

const CONFIG_STREAM_BEFORE =
  '53706c697453747265616d000000010c20000000000000007000000000000000700000000000000090000000000000009000000000000000b000000000000000f8000000000000000901000000000000b000000000000000f8000000000000006f6369636f6e6667a30000000000000065f160f29cead2c3e6bf1473d8b73b0954f85b99b43f56fbee245ffb36f7fe4341c5534c513bf6f0eba47bcb99856fec2e3a9abe01d158e66427abf83d6e2b5728b52ffd0058fd0100a2c40e13a02579a31fc24afc3750ae103699060006b30141d1dd73dbadd2141a36e48bd1c2a831effde4cb9706bde11d553867471dc371dda4e8090890100028b52ffd00584100000000000000000000';
const CONFIG_STREAM_AFTER =
  '53706c697453747265616d000000010c200000000000000070000000000000007000000000000000b000000000000000b000000000000000d0000000000000002b010000000000003c01000000000000d0000000000000002b010000000000006f6369636f6e6667a30000000000000065f160f29cead2c3e6bf1473d8b73b0954f85b99b43f56fbee245ffb36f7fe4337a920fe1ad7eb694ed1e9f069d3891184a88c37d8e3e0bd1f31e7c11e56077041c5534c513bf6f0eba47bcb99856fec2e3a9abe01d158e66427abf83d6e2b5728b52ffd0058950200f285131690b51db0e0570e619bdfe17f0045b249919ffe7f821684e06ef3c76c3647987354b72a5f685e37ed6d3dd70e0f9ce75dced14b34e5432df98f8eb1052434901a085eac1110d27b3a04c6d1a8020028b52ffd00584100000000000000000000';

interface ImageIds {
  readonly layer: string;
  readonly configObject: string;
  readonly configBefore: string;
  readonly manifestBefore: string;
  readonly image: string;
  readonly configAfter: string;
  readonly manifestAfter: string;
}

const SINGLE_LAYER: Record<HashAlgorithm, ImageIds> = {
  sha256: {
    layer: '65f160f29cead2c3e6bf1473d8b73b0954f85b99b43f56fbee245ffb36f7fe43',
    configObject: '41c5534c513bf6f0eba47bcb99856fec2e3a9abe01d158e66427abf83d6e2b57',
    configBefore: 'dbae70c0ac3dd60152b1495c2d35a549fcc4be68d256ca95ceb0cf1a62adca71',
    manifestBefore: '2ff34a9c8ab924906d48690c98669dfeda67c4a8947167c88497ed0053258818',
    image: '37a920fe1ad7eb694ed1e9f069d3891184a88c37d8e3e0bd1f31e7c11e560770',
    configAfter: 'b69d3f6af0fcc5add33fe006b70edebdafa99982a9a9709cb3b58f577161fdd8',
    manifestAfter: '930fdef98b831e4f9dfa307d5c7ca733d6be827f886bd6c677f91d86790cb35a',
  },
  sha512: {
    layer:
      'ea202dc49c0f25cc9300feebf88d7b5d7533f88202e2dd064db40489438ed2b95aa99096f5bc00442f2156ff9f5e6e4acbfec8c679896bf60e7a2ad0768d5d09',
    configObject:
      'c0b759c58a34b08227a96669d56f872b343e6ea21e27607f9e4c14f13e883cde1739fce20eaa2e90525d5e2abd09f349579be4010b9829ecd82673c19f6f504a',
    configBefore:
      'd9c1b49727b7ff4192633317152829160d9bea801efd4b1c2a86bec9494ceb96b1ab1722d819b6aa6c3c970abb6b86783f24d21484de747afacae97f38a317ce',
    manifestBefore:
      'f7dfd8c46585d553c8eb355a4849810e0c10fe10a6475b08ee6f4b67a061341e0a775fcd7b936eb7149c9005e2d964d708d8718a126c5ff325a4d939269cf1b0',
    image:
      '7f8ff40920361dc61880f9872660506005ca31b43985908bcbd0d08e9a0e63df551690297d180e414e5578a8f02d32f7808b5eb7078cb3e04ea4a9e621f79060',
    configAfter:
      '034102122ee099f81128c7de1e338da250049077d0ee4fcf953b916d65d7094bffc54fdb5d6ef5cf712c0f88a4b0b8971ee2fc86415c2e57e68e5c2c65a8eb7b',
    manifestAfter:
      'c5b59ddd4031326f439e7612ae4d72868d3b577c0d979c4cda1598174c6f677ea05c4345601653e300d0318fef4a2f8733b1953ea8e0767abcd04f9272cb5a44',
  },
};

for (const algorithm of ['sha256', 'sha512'] as const) {
  test(`a single-layer image has the derived ids in a ${algorithm} repository (spec 40 §16.2)`, async (t) => {
    const ids = SINGLE_LAYER[algorithm];
    const repo = await tempRepository(t, { algorithm });
    const tar = dataLayerTar(10);
    assert.equal(tar.length, 3584);
    const image = singleLayerImage();
    assert.equal(image.config.bytes.length, 163);
    assert.equal(image.manifest.bytes.length, 399);
    const stored = await storeContainer(repo, [tar], image);
    assert.equal(stored.configDigest, 'sha256:d59e0c29661671f347f754bd5ea8c1a55ca5d7c372b06c90d5c27bc059749ce4');
    assert.equal(stored.digest, 'sha256:126a94aff4705c09719ac833d349591cec59cb2ea0b00eaf846a6c786d22daf2');
    assert.deepEqual(stored.layers, [ids.layer]);
    assert.equal(externalObject(repo, stored.configVerity), ids.configObject);
    assert.equal(stored.configVerity, ids.configBefore);
    assert.equal(stored.manifestVerity, ids.manifestBefore);

    const id = await ensureComposefsErofs(repo, stored.digest, {
      manifestVerity: stored.manifestVerity,
      tag: 'single',
    });
    assert.equal(id, ids.image);
    assert.equal(repo.hasStream(configIdentifier(stored.configDigest)), ids.configAfter);
    assert.equal(repo.hasStream(manifestIdentifier(stored.digest)), ids.manifestAfter);
    assert.equal(repo.objects.readObject(ids.image as ObjectId).length, 16384);

    if (algorithm !== 'sha256') return;
    assert.equal(
      externalObject(repo, ids.manifestAfter as ObjectId),
      '5343fb11b3ab34a053459de13628967e3980fb8bd6e032721f76f1101c200cec',
    );
    assert.equal(streamBytes(repo, stored.configVerity).toString('hex'), CONFIG_STREAM_BEFORE);
    assert.equal(streamBytes(repo, ids.configAfter as ObjectId).toString('hex'), CONFIG_STREAM_AFTER);
    assert.equal(streamBytes(repo, stored.manifestVerity).length, 343);
    assert.equal(streamBytes(repo, ids.manifestAfter as ObjectId).length, 343);
    assert.deepEqual(
      [...writeDumpfile(await createFilesystem(repo, stored.configDigest, { configVerity: stored.configVerity }))].map(
        (line) => line.split(' ').slice(0, 4).join(' '),
      ),
      ['/ 0 40755 3', '/usr 0 40755 3', '/usr/share 0 40755 2', '/usr/share/data_10 10 100644 1'],
    );
  });
}

test('a two-layer image has the derived ids, its manifest stream in diff_id order (spec 40 §16.3)', async (t) => {
  const repo = await tempRepository(t, sha256);
  const tars = [dataLayerTar(10), dataLayerTar(131072)];
  assert.equal(tars[1]?.length, 134144);
  const stored = await storeContainer(repo, tars, twoLayerImage());
  assert.deepEqual(stored.layers, [
    '65f160f29cead2c3e6bf1473d8b73b0954f85b99b43f56fbee245ffb36f7fe43',
    'c1f0aa9f02815aa1f14f175a7f3fb45a65d4ebc0f59f148e8591b2a8f1dd4553',
  ]);
  assert.ok(repo.objects.has('2aeb41da1e3fa9a5dde2f7b24a2edd8caf0d4f9ed0706e279512bbd99a91baf2' as ObjectId));
  assert.equal(stored.configDigest, 'sha256:57989acc0b64d8cc9d156da31c3f6978aad099560df0d98980e18d5117fea3ec');
  assert.equal(stored.configVerity, 'dc3e420fb4bc1f30f17d180eba461292191a21f8a52dc7c806ebbe93b0d95485');
  assert.equal(
    externalObject(repo, stored.configVerity),
    '38b65a69704415d88a230e75442813410cb89b71944ad5ff45af83cb7d0f43db',
  );
  assert.equal(streamBytes(repo, stored.configVerity).length, 337);
  assert.equal(stored.digest, 'sha256:fd5ece0a592cc27366670e921226aa6663c25f11aa08a1080dd6b63eb332a527');
  assert.equal(stored.manifestVerity, '8222ab8b217053362fa8aacfdb944e9cdebfa2ba2af93c8b004a3dfb53b72ea8');
  assert.equal(
    externalObject(repo, stored.manifestVerity),
    '85667235e6cb013d1d4cf173ac237f9335fb6b7002522b7ef38b5be2947b2d04',
  );
  assert.equal(streamBytes(repo, stored.manifestVerity).length, 413);

  const id = await ensureComposefsErofs(repo, stored.digest);
  assert.equal(id, 'a77541271acedbafc94829fef0ff2f8dd0dadf961b8abe5a9c620155cbbca9b0');
  const after = OciImage.open(repo, stored.digest);
  assert.equal(after.configVerity, '2224069e48de56bd572d65dfce545b56c3fb2987b9c9a7f302fbaaa5c439cc4e');
  assert.equal(streamBytes(repo, after.configVerity).length, 389);
  assert.equal(after.manifestVerity, '4b0342243b86f08f3e1b1955d3004c4078fcb69595b2f18b361b67c5cc2cf838');

  // The other permutation that the reference may write: valid, and the order is all that makes the difference.
  const layers = [...after.layerRefs].sort(
    ([a], [b]) => after.layerDiffIds().indexOf(b) - after.layerDiffIds().indexOf(a),
  );
  const links = { configDigest: after.configDigest, configVerity: after.configVerity, layers };
  assert.equal(
    await writeManifestRaw(repo, after.readManifestJson(repo), stored.digest, links),
    'e626f95be81e4ffb8086317eea1b87cf5dea824aa99f27258c5b2c8f9abba96a',
  );
  assert.equal(OciImage.open(repo, stored.digest).imageRef(1), id);
});

const BLOBS = [
  [
    '{"spdxVersion":"SPDX-2.3","name":"example"}',
    '60c3ef42d548f485cf48b3050b24fe43ca2fb9c872b422e8737393545a9b6008',
    '7ef7a2666cb5f7812669a5be5008228485803a4d8cad6bd650bc4de6bcd16357',
    '9304370c95c3a31760b505fb30b22ce3a48df892909fe7b195c8ed4018342dbe',
  ],
  [
    '{}',
    '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
    '7f943a505c946ab0b3bc97afd3ab20cc376b16a0560b1da6f9abf5f6086d4515',
    'edf8a2581cc1346c06cc53ccc3e93fc4db2fcbb5d8bc7e1741df4d4d2fc6d1d6',
  ],
  [
    'hello world',
    'b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9',
    '1e2eaa4202d750a41174ee454970b92c1bc2f925b1e35076d8c7d5f56362ba64',
    '275c3f3d11d83d2c131a0bf4cb9e57825282c1d96eab4194f835fa83e9f5a89e',
  ],
  [
    'This is some arbitrary blob data for an OCI artifact.',
    'eca6107eee1c10c69d1c7e5040004093112695784ef2b59d24e88110b5a415a7',
    '99702cfca84791407954bd4b7233dfd3e7a78ab9dab2a3e606423b3ef7196467',
    '05356c86beae81cce6e7945e6c750576b153dff67ad918c8a7a75500cb6c3c14',
  ],
] as const;

test('blobs are one object each, in streams with the derived ids (spec 40 §16.4)', async (t) => {
  const repo = await tempRepository(t, sha256);
  for (const [text, hex, object, stream] of BLOBS) {
    const [digest, verity] = await writeBlob(repo, Buffer.from(text));
    assert.equal(digest, `sha256:${hex}`);
    assert.equal(verity, stream);
    assert.equal(externalObject(repo, verity), object);
    assert.equal(streamBytes(repo, verity).length, 170);
    assert.equal(openBlob(repo, digest).toString(), text);
    assert.equal(openBlob(repo, digest, { blobVerity: verity }).toString(), text);
    assert.deepEqual(await writeBlob(repo, Buffer.from(text)), [digest, verity]);
  }
  const [, verity512] = await writeBlob(await tempRepository(t), Buffer.from(BLOBS[0][0]));
  assert.equal(
    verity512,
    '52659255db84eeecb22adc458bd0561b1ec0588a6c0c324a60f21664c1f72193ed392bc122d2c7e8608278eac9993267c9bd48382864d2a9711aa24d3ab2ff7d',
  );
});

test('a config stream without refs has the published bytes (spec 40 §16.4)', async (t) => {
  const repo = await tempRepository(t, sha256);
  const [, verity] = await writeConfigStream(repo, Buffer.from('{}'), []);
  assert.equal(verity, 'd69c359353a6d4a9c6de7a7c85fb374fd3107675af48409ff1b49073a9e65684');
  assert.equal(
    streamBytes(repo, verity).toString('hex'),
    '53706c697453747265616d000000010c2000000000000000700000000000000070000000000000007000000000000000700000000000000090000000000000009900000000000000aa00000000000000900000000000000099000000000000006f6369636f6e666702000000000000007f943a505c946ab0b3bc97afd3ab20cc376b16a0560b1da6f9abf5f6086d451528b52ffd200001000028b52ffd00584100000000000000000000',
  );
});

test('a pulled artifact has the derived ids, and so has one that is stored by hand (spec 40 §16.4)', async (t) => {
  const artifact = spdxArtifact();
  const pulled = await tempRepository(t, sha256);
  const result = await pull(pulled, layoutOf(t, artifact), 'sbom', PULL);
  assert.equal(result.manifestDigest, 'sha256:a7f0b8f795d48adcf0ddb58143d52fd8f612a38b903665d32b241b1230633987');
  assert.equal(result.configVerity, '4510fa7154cc67fdf00cc02fe998b11b829aa788d5c186522739dd3c594bfc52');
  assert.equal(streamBytes(pulled, result.configVerity).length, 263);
  assert.equal(result.manifestVerity, 'f5927220ec73b36a74c14778502edf204a07ffbe7f6139a5852a5c6dfd367c77');
  assert.equal(streamBytes(pulled, result.manifestVerity).length, 344);
  // A layer's stream is the same object as that of a stand-alone blob.
  assert.equal(pulled.hasStream(layerContentId(sha256Digest(BLOBS[0][1]))), BLOBS[0][3]);

  const stored = await tempRepository(t, sha256);
  assert.equal((await storeArtifact(stored, artifact)).manifestVerity, result.manifestVerity);
  assert.deepEqual(objectIds(stored), objectIds(pulled));
});

test('the base image has the published ids and tree, and gc counts as specified (spec 40 §16.5, §1.5)', async (t) => {
  const repo = await tempRepository(t, sha256);
  const fixtures = baseImageLayers();
  const tars = fixtures.map((layer) => layer.tar);
  const image = buildBaseImage(tars);
  assert.equal(image.config.bytes.length, 459);
  assert.equal(image.manifest.bytes.length, 1022);
  const stored = await storeContainer(repo, tars, image);
  assert.deepEqual(
    stored.layers,
    fixtures.map((layer) => layer.splitStreamId),
  );
  assert.equal(stored.configDigest, 'sha256:96dfae1f4f05b94db0ada7f47cbb6bd535dc4f651726301325e21f643e5afe29');
  assert.equal(stored.digest, 'sha256:c5729985b6f34214b4eeefce83de4916239a0e6cc9f2ae715cef46246095b131');
  const configObject = '645e92b9afa31260eb269ce66e6376808cc18a1d970cedeb3a09574fb10b0fa0';
  const manifestObject = '0a9d19922036c3fa007beae6f06b85b7d857068168aa00422cb88039181d26f8';
  assert.equal(externalObject(repo, stored.configVerity), configObject);
  assert.equal(externalObject(repo, stored.manifestVerity), manifestObject);
  assert.equal(stored.configVerity, 'da0d480525f9a77f3715603be02a9ba4f47afa35be3e9e136072bb1c8c49d069');
  assert.equal(stored.manifestVerity, 'bddc0e73934eadb628fb5fe69c3ae429ed3ce913a3348ffd2c28e6b86bf58d29');
  assert.equal(streamBytes(repo, stored.configVerity).length, 545);
  assert.equal(streamBytes(repo, stored.manifestVerity).length, 620);

  const id = await ensureComposefsErofs(repo, stored.digest, { tag: 'base' });
  assert.equal(id, '617bf3168c5bed49693358601751cd3c5467526b70d78ee0cc501bcea7918433');
  assert.equal(repo.objects.readObject(id).length, 16384);
  const after = OciImage.openRef(repo, 'base');
  assert.equal(after.configVerity, '7c578364694b4a960b989cd8a8d3fba80883377487603ea1c565ab966ee34b04');
  assert.equal(after.manifestVerity, '2bfb16286ecb41b1a47e45054599f06ca2f4af3921d32b1e55e9974478c67933');
  assert.equal(streamBytes(repo, after.configVerity).length, 599);
  assert.equal(streamBytes(repo, after.manifestVerity).length, 620);
  assert.equal(externalObject(repo, after.configVerity), configObject);
  assert.equal(externalObject(repo, after.manifestVerity), manifestObject);
  assert.equal(after.imageRef(1), id);
  assert.equal(after.imageRef(2), undefined);
  assert.equal([...writeDumpfile(await createFilesystem(repo, stored.configDigest))].join(''), BASE_IMAGE_DUMP);

  const counts = async (): Promise<number[]> => {
    const { objectsRemoved, streamsPruned, imagesPruned } = await repo.gc({ threads: 0 });
    return [objectsRemoved, streamsPruned, imagesPruned];
  };
  assert.deepEqual(await counts(), [2, 0, 0]);
  assert.deepEqual(await counts(), [0, 0, 0]);
  await untagImage(repo, 'base');
  assert.deepEqual(await counts(), [14, 7, 1]);
  const { objectsRemoved, streamsPruned, imagesPruned } = await repo.gc({ dryRun: true, threads: 0 });
  assert.deepEqual([objectsRemoved, streamsPruned, imagesPruned], [0, 0, 0]);
  assert.deepEqual(objectIds(repo), []);
});

test('two images that share layers give back only their own (spec 40 §16.5)', async (t) => {
  const repo = await tempRepository(t, sha256);
  const own = (name: string): Buffer => tarArchive([tarFile(name, name)]);
  const shared = baseImageLayers().map((layer) => layer.tar);
  for (const version of ['v1', 'v2']) {
    const tars = [...shared, ...[1, 2, 3, 4].map((i) => own(`${version}-${i}`))];
    const { digest } = await storeContainer(repo, tars, buildBaseImage(tars));
    await tagImage(repo, digest, version);
  }
  await untagImage(repo, 'v1');
  const first = await repo.gc({ threads: 0 });
  assert.deepEqual([first.objectsRemoved, first.streamsPruned], [8, 6]);
  const second = await repo.gc({ threads: 0 });
  assert.deepEqual([second.objectsRemoved, second.streamsPruned], [0, 0]);
});

const HARD_LINK_IDS = {
  v2sha512:
    'f7684c21050615c02cec250e0c7d4118fb0ff6340af5039e06f2f372a7614fff25dfd38cf7f28ad67d8b86e86371b7deafa9ae4bf543630322aee6196417de92',
  v1sha512:
    'd06f1f6a73f62ed48e05ce9442ff045cdf2a9f5ba1ec623795de3d6177a253d91076459795d94f55d8c3d71dab458bb3fc0071255a50c0a4896d86ffdc870b9a',
  v1sha256: 'ca4c0cedfe7cf4e19090b65126e5b2ccc2e7fb4eef2af2a1bcdebe7488d5790b',
};

test('a pulled layout with a hard link has the published image ids (spec 40 §16.6)', async (t) => {
  const image = fxOci();
  const reference = layoutOf(t, image);
  const repo = await tempRepository(t, { algorithm: 'sha512', erofsFormats: { default: 1, extra: [2] } });
  const { manifestDigest } = await pull(repo, reference, 'hello', PULL);
  const stored = OciImage.open(repo, manifestDigest);
  assert.equal(stored.imageRef(1), HARD_LINK_IDS.v1sha512);
  assert.equal(stored.imageRef(0), HARD_LINK_IDS.v1sha512);
  assert.equal(stored.imageRef(2), HARD_LINK_IDS.v2sha512);
  const [diffId] = image.diffIds;
  assert.ok(diffId !== undefined);
  assert.equal((await layerInfo(repo, diffId)).entryCount, 3);

  const repo256 = await tempRepository(t, sha256);
  await pull(repo256, reference, 'hello', PULL);
  assert.equal(OciImage.openRef(repo256, 'hello').imageRef(1), HARD_LINK_IDS.v1sha256);
});

test('whiteouts of three layers leave the published paths (spec 40 §16.7)', async (t) => {
  const dirs = (...names: string[]): Buffer[] => names.map((name) => tarDirectory(`${name}/`));
  const tars = [
    tarArchive([
      ...dirs('usr', 'usr/bin', 'usr/lib', 'etc', 'tmp', 'tmp/cache'),
      tarFile('usr/bin/app', 'app v1'),
      tarFile('usr/lib/old-lib.so', 'old'),
      tarFile('usr/lib/shared.so', 'shared'),
      tarFile('etc/config.toml', 'a = 1'),
      tarFile('etc/hosts', 'localhost'),
      tarFile('tmp/cache/data.bin', 'data'),
      tarFile('tmp/cache/index.db', 'index'),
    ]),
    tarArchive([
      ...dirs('usr', 'usr/lib', 'etc', 'tmp', 'tmp/cache'),
      tarFile('etc/.wh.hosts', ''),
      tarFile('etc/hosts.new', 'example'),
      tarFile('usr/lib/.wh.old-lib.so', ''),
      tarFile('tmp/cache/.wh..wh..opq', ''),
      tarFile('tmp/cache/fresh.bin', 'fresh'),
    ]),
    tarArchive([...dirs('usr', 'usr/bin'), tarFile('usr/bin/.wh.app', ''), tarFile('usr/bin/app-v2', 'app v2')]),
  ];
  const repo = await tempRepository(t, sha256);
  const { configDigest } = await pull(repo, layoutOf(t, buildImage(tars)), undefined, PULL);
  assert.deepEqual(
    [...writeDumpfile(await createFilesystem(repo, configDigest))].map((line) => line.split(' ')[0]),
    [
      '/',
      '/etc',
      '/etc/config.toml',
      '/etc/hosts.new',
      '/tmp',
      '/tmp/cache',
      '/tmp/cache/fresh.bin',
      '/usr',
      '/usr/bin',
      '/usr/bin/app-v2',
      '/usr/lib',
      '/usr/lib/shared.so',
    ],
  );
});

test('looking at a layer: dumpfile, counts, the tar itself, import twice (spec 40 §8)', async (t) => {
  const repo = await tempRepository(t, sha256);
  const { tar } = boundaryFilesLayer();
  const diffId = sha256ContentDigest(tar);
  const { verity, stats } = await importLayer(repo, diffId, 'boundary', chunksOf(tar));
  assert.deepEqual([stats.objectsCopied, stats.objectsAlreadyPresent], [3, 0]);
  assert.equal(stats.bytesCopied, 4095 + 4096 + 4097);
  assert.equal(
    await text(layerDumpfile(repo, diffId)),
    [
      '/file0 0 100700 1 0 0 0 0.0 - - -',
      dumpLine('/file4095', 4095, '5372beb83c78537c8970c8361e3254119fafdf1763854ecd57d3f0fe2da7c719'),
      dumpLine('/file4096', 4096, 'babc284ee4ffe7f449377fbf6692715b43aec7bc39c094a95878904d34bac97e'),
      dumpLine('/file4097', 4097, '093756e4ea9683329106d4a16982682ed182c14bf076463a9e7f97305cbac743'),
      '',
    ].join('\n'),
  );
  assert.deepEqual(await layerInfo(repo, diffId), {
    diffId,
    verity,
    size: tar.length,
    entryCount: 4,
    splitstream: { externalObjects: 3, externalSize: 12288, inlineSize: tar.length - 12288 },
  });
  assert.deepEqual(await buffer(layerTar(repo, diffId)), tar);

  async function* unread(): AsyncGenerator<Buffer> {
    assert.fail('the tar was read');
    yield Buffer.alloc(0);
  }
  const again = await importLayer(repo, diffId, 'other/name', unread());
  assert.equal(again.verity, verity);
  assert.deepEqual(Object.values(again.stats), Array(10).fill(0));
  assert.ok(repo.hasNamedStream('boundary') && repo.hasNamedStream('other/name'));
  assert.equal((await repo.gc({ threads: 0 })).objectsRemoved, 0);
  assert.equal(computeVerity('sha256', streamBytes(repo, verity)), verity);
});

function dumpLine(path: string, size: number, id: string): string {
  return `${path} ${size} 100700 1 0 0 0 0.0 ${id.slice(0, 2)}/${id.slice(2)} - ${id}`;
}

test('boot refs enter a config stream in the order of their keys, whatever order they are given in', async (t) => {
  const repo = await tempRepository(t, sha256);
  const stored = await storeContainer(repo, [dataLayerTar(10)], singleLayerImage());
  const image = OciImage.open(repo, stored.digest);
  const [one, two] = [stored.configVerity, stored.manifestVerity];
  const boot = [
    ['composefs.image.boot.v1', one],
    ['composefs.image.boot', two],
  ] as const;
  const json = image.readConfigJson(repo);
  const [, verity] = await writeConfigRaw(repo, json, image.layerRefs, { bootImages: new Map(boot) });
  const [, reversed] = await writeConfigRaw(repo, json, image.layerRefs, { bootImages: new Map([...boot].reverse()) });
  assert.equal(verity, reversed);
});
