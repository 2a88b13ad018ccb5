import assert from 'node:assert/strict';
import { test } from 'node:test';
import { transformForBoot } from '../../../src/boot/transform.js';
import { byteStringFromText } from '../../../src/bytes/byte-string.js';
import { computeImageId, type Repository } from '../../../src/composefs/repository/index.js';
import type { Directory } from '../../../src/composefs/tree/inode.js';
import { getDirectory } from '../../../src/composefs/tree/lookup.js';
import { filterXattrs, forEachStat } from '../../../src/composefs/tree/walk.js';
import { matchDigest } from '../../../src/oci/explain/match-digest.js';
import { configLayers, createFilesystem } from '../../../src/oci/layer/filesystem.js';
import { OciImage } from '../../../src/oci/store/image.js';
import { buildFilesystem } from '../../support/at-once.js';
import { bootTree } from '../../support/boot-images.js';
import { buildImage, spdxArtifact } from '../../support/oci-fixtures.js';
import { paxHeader, tarArchive, tarDirectory, tarFile } from '../../support/tar-builder.js';
import { storeArtifact, storeContainer, tempRepository } from '../oci-support.js';

const TARS = [
  tarArchive([
    tarDirectory('usr/', { mtime: 5 }),
    tarFile('usr/big', Buffer.alloc(5000, 'big')),
    paxHeader([['SCHILY.xattr.user.note', 'x']]),
    tarFile('usr/noted', 'noted'),
    // A whiteout of what the same layer has brought: the reference removes it.
    tarFile('usr/.wh.big', ''),
  ]),
];

async function stored(repo: Repository): Promise<OciImage> {
  const { digest } = await storeContainer(repo, TARS, buildImage(TARS));
  return OciImage.open(repo, digest);
}

test('the rules by which an image has a digest are found, with as few changes as can be', async (context) => {
  const repo = await tempRepository(context, { algorithm: 'sha512' });
  const image = await stored(repo);
  const tree = (options: object): ReturnType<typeof createFilesystem> =>
    createFilesystem(repo, image.configDigest, { configVerity: image.configVerity, ...options });
  const usual = repo.erofsVersion;
  const other = usual === 1 ? 2 : 1;
  const cases: [digest: string, differing: string[]][] = [
    [await computeImageId(await tree({}), usual, 'sha512'), []],
    [await computeImageId(await tree({}), other, 'sha512'), ['format']],
    [await computeImageId(await tree({}), 0, 'sha512'), ['format']],
    [await computeImageId(await tree({ xattrs: 'keep-user-xattrs' }), usual, 'sha512'), ['xattrs']],
    [await computeImageId(await tree({ layerRules: 'reference' }), usual, 'sha512'), ['layerRules']],
    [
      await computeImageId(await tree({ layerRules: 'reference', xattrs: 'keep-user-xattrs' }), other, 'sha512'),
      ['format', 'xattrs', 'layerRules'],
    ],
  ];
  for (const [digest, differing] of cases) {
    const match = await matchDigest(repo, image, digest);
    assert.equal(match.kind, 'rules');
    assert.deepEqual(match.kind === 'rules' && match.differing, differing);
  }
});

test('a digest of the other algorithm is found as well', async (context) => {
  const [repo, other] = [
    await tempRepository(context, { algorithm: 'sha512' }),
    await tempRepository(context, { algorithm: 'sha256' }),
  ];
  const [image, same] = [await stored(repo), await stored(other)];
  const tree = await createFilesystem(other, same.configDigest, { configVerity: same.configVerity });
  const digest = await computeImageId(tree, repo.erofsVersion, 'sha256');
  const match = await matchDigest(repo, image, `sha256:${digest}`);
  assert.deepEqual(match, {
    kind: 'rules',
    rules: {
      format: repo.erofsVersion,
      kind: 'plain',
      xattrs: 'allowlist-only',
      layerRules: 'oci',
      algorithm: 'sha256',
      labels: 'policy',
      mtimes: 'standard',
      missingLayers: 0,
    },
    differing: ['algorithm'],
  });
});

test('digests of other things are told apart', async (context) => {
  const repo = await tempRepository(context, { algorithm: 'sha256' });
  const image = await stored(repo);
  const layer = image.layerDiffIds()[0] ?? '';
  const cases: [string, string][] = [
    [image.manifestDigest, 'the digest of the manifest'],
    [image.configDigest.slice('sha256:'.length), 'the digest of the config'],
    [layer, 'the digest of layer 1 (its diff_id)'],
    [image.layerDescriptors()[0]?.digest ?? '', 'the digest of the blob of layer 1'],
    [image.layerVerity(layer) ?? '', 'the name of the object that holds the stream of layer 1'],
  ];
  for (const [digest, what] of cases) {
    assert.deepEqual(await matchDigest(repo, image, digest), { kind: 'other', what });
  }
});

test('what nothing explains comes with the digests that the image has', async (context) => {
  const repo = await tempRepository(context, { algorithm: 'sha256' });
  const image = await stored(repo);
  const match = await matchDigest(repo, image, 'f'.repeat(64));
  assert.ok(match.kind === 'unknown');
  const tree = await createFilesystem(repo, image.configDigest, { configVerity: image.configVerity });
  assert.equal(match.tried[0]?.digest, await computeImageId(tree, repo.erofsVersion, 'sha256'));
  assert.equal(match.tried.length, 18);
  // There is no /boot.
  assert.equal(match.impossible.length, 12);
  assert.match(match.impossible[0]?.reason ?? '', /"boot"/);
});

test('what is no digest, or no image, is refused', async (context) => {
  const repo = await tempRepository(context);
  const image = await stored(repo);
  for (const text of ['', 'abc', 'g'.repeat(64), 'a'.repeat(65)]) {
    await assert.rejects(matchDigest(repo, image, text), { code: 'INVALID_DIGEST' });
  }
  const { digest } = await storeArtifact(repo, spdxArtifact());
  await assert.rejects(matchDigest(repo, OciImage.open(repo, digest), 'a'.repeat(64)), {
    code: 'NOT_A_CONTAINER_IMAGE',
  });
});

test('labels, mtimes, missing layers and stored images are found from the rules of a plain image', async (context) => {
  const repo = await tempRepository(context, { algorithm: 'sha256' });
  const late = tarArchive([tarDirectory('usr/bin/', { mtime: 4000 }), tarFile('usr/bin/late', 'x', { mtime: 4000 })]);
  const tars = [bootTree({ policy: true }), late];
  const { digest: manifest } = await storeContainer(repo, tars, buildImage(tars));
  const image = OciImage.open(repo, manifest);
  const layers = configLayers(image.layerDiffIds(), image.layerRefs);
  const whole = (root: Directory): void => forEachStat(root, (stat) => ({ ...stat, mtimeNsec: 0 }));
  const id = (count: number, ...changes: readonly ((root: Directory) => unknown)[]): Promise<string> => {
    const root = buildFilesystem(repo.objects, layers.slice(0, count));
    for (const change of changes) change(root);
    return computeImageId(root, repo.erofsVersion, 'sha256');
  };
  const forBoot = (root: Directory): unknown => transformForBoot(root, repo.objects);
  const unlabelled = (root: Directory): void => filterXattrs(root, (name) => name !== 'security.selinux');
  const old = (root: Directory): void => {
    for (const [name, mtimeNsec] of [
      ['boot', 250_000_000],
      ['sysroot', 125_000_000],
    ] as const) {
      const directory = getDirectory(root, byteStringFromText(name));
      directory.stat = { ...directory.stat, mtimeNsec };
    }
  };
  const cases: [digest: string, differing: string[]][] = [
    [await id(2, whole), ['mtimes']],
    [await id(2, forBoot), ['kind']],
    [await id(2, forBoot, unlabelled), ['kind', 'labels']],
    [await id(2, forBoot, old), ['kind', 'mtimes']],
    [await id(2, forBoot, unlabelled, whole), ['kind', 'labels', 'mtimes']],
    [await id(1), ['missingLayers']],
    [await id(1, forBoot), ['kind', 'missingLayers']],
  ];
  for (const [digest, differing] of cases) {
    const match = await matchDigest(repo, image, digest);
    assert.ok(match.kind === 'rules', differing.join());
    assert.deepEqual(match.differing, differing);
    const changes = ['/usr/bin (mtime)', '/usr/bin/late (added)'];
    const isOf = differing.includes('missingLayers') && !differing.includes('kind');
    if (isOf) assert.deepEqual(match.changes, { changes, changeCount: 2 });
  }
  const root = buildFilesystem(repo.objects, layers);
  const opt = getDirectory(root, byteStringFromText('opt'));
  opt.stat = { ...opt.stat, mtimeSec: 7 };
  assert.deepEqual(await matchDigest(repo, image, await repo.commitImageVersion(root, 2)), {
    kind: 'stored',
    format: 2,
    changes: { changes: ['/opt (mtime)'], changeCount: 1 },
  });
});
