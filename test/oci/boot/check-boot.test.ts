import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { transformForBoot } from '../../../src/boot/transform.js';
import { byteStringFromText } from '../../../src/bytes/byte-string.js';
import type { FormatVersion } from '../../../src/composefs/erofs/index.js';
import { type ObjectId, parseObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { computeImageId, type Repository } from '../../../src/composefs/repository/index.js';
import type { Directory } from '../../../src/composefs/tree/inode.js';
import { getDirectory } from '../../../src/composefs/tree/lookup.js';
import { filterXattrs, forEachStat } from '../../../src/composefs/tree/walk.js';
import { generateBootImage } from '../../../src/oci/boot/boot-images.js';
import { type BootCheck, checkBoot } from '../../../src/oci/boot/check-boot.js';
import { describeExplanation } from '../../../src/oci/explain/describe-match.js';
import { pull } from '../../../src/oci/import/pull.js';
import { createFilesystem } from '../../../src/oci/layer/filesystem.js';
import { OciImage } from '../../../src/oci/store/image.js';
import type { XattrFiltering } from '../../../src/oci/tree/transform.js';
import { type BootTreeOptions, bootableImage, bootTree, KVER } from '../../support/boot-images.js';
import { buildImage, spdxArtifact, type TestImage } from '../../support/oci-fixtures.js';
import { buildPe, buildUki } from '../../support/pe-builder.js';
import { tarArchive, tarDirectory, tarFile } from '../../support/tar-builder.js';
import { layoutOf, PULL, tempRepository } from '../oci-support.js';

async function withImage(t: TestContext, image: TestImage): Promise<{ repo: Repository; stored: () => OciImage }> {
  const repo = await tempRepository(t, { algorithm: 'sha256', insecure: true });
  await pull(repo, layoutOf(t, image), 'tag', PULL);
  return { repo, stored: () => OciImage.openRef(repo, 'tag') };
}

async function check(t: TestContext, image: TestImage): Promise<BootCheck> {
  const { repo, stored } = await withImage(t, image);
  return await checkBoot(repo, stored());
}

function explanation({ mismatch, version }: BootCheck, layerCount: number): string[] {
  assert.ok(mismatch !== undefined);
  return describeExplanation(mismatch.explanation, { version, layerCount });
}

function codes({ problems }: BootCheck): string[] {
  return problems.map(({ code }) => code);
}

test('an image that can boot: what boots, which image, whether it is made', async (t) => {
  const { repo, stored } = await withImage(t, bootableImage({ policy: true }));
  const before = stored().configVerity;
  const first = await checkBoot(repo, stored());
  assert.deepEqual(first.problems, []);
  assert.deepEqual([first.entry, first.entries], [`kernel "${KVER}"`, [`kernel "${KVER}"`]]);
  assert.deepEqual([first.isLinked, first.version, first.mismatch], [false, 1, undefined]);
  assert.equal(stored().configVerity, before);
  assert.equal((await repo.gc({ dryRun: true })).objectsRemoved, 0);
  const id = await generateBootImage(repo, stored().manifestDigest);
  const second = await checkBoot(repo, stored());
  assert.deepEqual([second.image, second.isLinked], [id, true]);
  assert.deepEqual([first.image, first.argument], [id, `composefs.digest=?v1-sha256-12:${id}`]);
});

test('each reason for which an image cannot boot has a code', async (t) => {
  const boot = (files: Readonly<Record<string, string | Buffer>>): TestImage =>
    buildImage([bootTree({ kernel: false, boot: files })]);
  const uki = (sections: readonly string[], cmdline = 'quiet'): TestImage =>
    boot({
      'EFI/Linux/a.efi': buildPe([
        { name: '.cmdline', data: Buffer.from(cmdline) },
        ...sections.map((name) => ({ name, data: Buffer.from('data') })),
      ]),
    });
  const names512 = `composefs=?${'0'.repeat(128)}`;
  const cases: [TestImage, string[]][] = [
    [bootableImage({ without: ['sysroot'] }), ['NO_SYSROOT']],
    [bootableImage({ without: ['boot', 'sysroot'] }), ['NO_BOOT', 'NO_SYSROOT']],
    [buildImage([tarArchive([tarDirectory('usr/'), tarDirectory('boot/'), tarFile('sysroot', 'x')])]), ['NO_SYSROOT']],
    [boot({}), ['NO_BOOT_ENTRIES']],
    [boot({ 'loader/entries/a.conf': 'linux /none\n' }), ['ENTRY_NOT_FOUND']],
    [boot({ vmlinuz: 'v', 'loader/entries/a.conf': 'linux /boot/vmlinuz\n' }), ['NO_INITRAMFS']],
    [boot({ 'loader/entries/a.conf': 'title nothing\n' }), ['NO_KERNEL', 'NO_INITRAMFS']],
    [uki(['.linux', '.initrd']), ['UKI_WITHOUT_KARG']],
    [uki(['.linux']), ['UKI_WITHOUT_KARG', 'NO_INITRAMFS']],
    [uki(['.initrd']), ['UKI_WITHOUT_KARG', 'NO_KERNEL']],
    [boot({ 'EFI/Linux/a.efi': 'no executable' }), ['NOT_A_UKI']],
    [uki(['.linux', '.initrd'], names512), ['INVALID_HEX', 'ALGORITHM_MISMATCH']],
    [spdxArtifact(), ['NOT_A_CONTAINER_IMAGE']],
  ];
  for (const [image, expected] of cases) {
    const found = await check(t, image);
    assert.deepEqual(codes(found), expected);
  }
  const modules = `usr/lib/modules/${KVER}`;
  const directories = ['usr/', 'usr/lib/', 'usr/lib/modules/', `${modules}/`, 'boot/', 'sysroot/'];
  const noInitramfs = tarArchive([
    ...directories.map((name) => tarDirectory(name)),
    tarFile(`${modules}/vmlinuz`, 'v'),
  ]);
  const { problems } = await check(t, buildImage([noInitramfs]));
  assert.deepEqual(
    problems.map(({ code, message }) => [code, message]),
    [['NO_INITRAMFS', `kernel ${KVER} has no initramfs.img in /${modules}`]],
  );
});

const TREE: BootTreeOptions = { policy: true, kernel: false };

function withUki(cmdline: string, ...layers: readonly Buffer[]): TestImage {
  return buildImage([bootTree({ ...TREE, boot: { 'EFI/Linux/a.efi': buildUki(cmdline) } }), ...layers]);
}

/** The id of a boot image that somebody else has made in some other way. */
async function idOf(
  t: TestContext,
  version: FormatVersion,
  xattrs: XattrFiltering = 'allowlist-only',
  change: (root: Directory) => void = () => undefined,
): Promise<ObjectId> {
  const { repo, stored } = await withImage(t, buildImage([bootTree(TREE)]));
  const root = await createFilesystem(repo, stored().configDigest, { configVerity: stored().configVerity, xattrs });
  transformForBoot(root, repo.objects);
  change(root);
  return await computeImageId(root, version, 'sha256');
}

const SELINUX = byteStringFromText('security.selinux');

function setNanoseconds(root: Directory, name: string, mtimeNsec: number): void {
  const directory = getDirectory(root, byteStringFromText(name));
  directory.stat = { ...directory.stat, mtimeNsec };
}

test('a UKI whose digest differs: what differs is found', async (t) => {
  const unlabelled = (root: Directory): void => filterXattrs(root, (name) => name !== SELINUX);
  const old = (root: Directory): void => {
    setNanoseconds(root, 'boot', 250_000_000);
    setNanoseconds(root, 'sysroot', 125_000_000);
  };
  const whole = (root: Directory): void => forEachStat(root, (stat) => ({ ...stat, mtimeNsec: 0 }));
  const labels = 'label: that image has no SELinux labels, and the policy of this one gives some';
  const kept = 'xattr mode: that image is of the mode keep-user-xattrs';
  const v2 = 'format version: that image is of V2, and this one of V1';
  const cases: [ObjectId, string[]][] = [
    [await idOf(t, 1, 'keep-user-xattrs'), [kept]],
    [await idOf(t, 2), [v2]],
    [await idOf(t, 2, 'keep-user-xattrs'), [kept, v2]],
    [await idOf(t, 0), ['format version: that image is of V0, and this one of V1']],
    [await idOf(t, 1, 'allowlist-only', unlabelled), [labels]],
    [
      await idOf(t, 1, 'allowlist-only', old),
      ['mtime: /boot and /sysroot have their own nanoseconds, as composefs-rs made images up to 0.9.2'],
    ],
    [
      await idOf(t, 1, 'allowlist-only', whole),
      ['mtime: that image is of a copy of the tree that has lost the nanoseconds'],
    ],
    [
      await idOf(t, 1, 'keep-user-xattrs', (root) => [unlabelled, whole].forEach((change) => void change(root))),
      [kept, labels, 'mtime: that image is of a copy of the tree that has lost the nanoseconds'],
    ],
    [
      '0'.repeat(64) as ObjectId,
      [
        'nothing that was tried has that digest: not another xattr mode, format version, set of labels or mtimes, nor fewer layers',
      ],
    ],
  ];
  for (const [digest, expected] of cases) {
    const found = await check(t, withUki(`composefs.digest=?v1-sha256-12:${digest}`));
    assert.deepEqual(codes(found), ['WRONG_UKI_DIGEST']);
    assert.equal(found.mismatch?.expected, digest);
    assert.deepEqual(explanation(found, 1), expected);
  }
  assert.deepEqual(codes(await check(t, withUki(`composefs=?${await idOf(t, 1)}`))), []);
});

test('a digest of other layer rules, of a plain image, of another algorithm or of the manifest is told, too', async (t) => {
  // A whiteout of what the same layer has brought: the reference removes it.
  const odd = tarArchive([tarFile('usr/gone', 'gone', { mtime: 4000 }), tarFile('usr/.wh.gone', '')]);
  const { repo, stored } = await withImage(t, buildImage([bootTree({ policy: true, kernel: true }), odd]));
  const { configDigest, configVerity, manifestDigest } = stored();
  const tree = (options: object = {}): Promise<Directory> =>
    createFilesystem(repo, configDigest, { configVerity, ...options });
  const ofReference = await tree({ layerRules: 'reference' });
  transformForBoot(ofReference, repo.objects);
  const plain = stored().imageRef(1);
  assert.ok(plain !== undefined);
  const sum = createHash('sha256').update(repo.objects.readObject(plain)).digest('hex');
  const cases: [string, string[]][] = [
    [await computeImageId(ofReference, 1, 'sha256'), ['layer rules: that image is by the rules reference']],
    [await computeImageId(await tree(), 1, 'sha256'), ['kind: that image is a plain one, and this one a boot image']],
    [manifestDigest.slice('sha256:'.length), ['digest: that is the digest of the manifest']],
    [sum, ['digest: that is the sha256sum of the EROFS image of format V1, not its fs-verity digest']],
  ];
  for (const [expected, lines] of cases) {
    const found = await checkBoot(repo, stored(), { expected: parseObjectId('sha256', expected) });
    assert.deepEqual(codes(found), ['WRONG_DIGEST']);
    assert.deepEqual(explanation(found, 2), lines);
  }
  const other = await tempRepository(t, { algorithm: 'sha512', insecure: true });
  await pull(other, layoutOf(t, buildImage([bootTree({ policy: true, kernel: true }), odd])), 'tag', PULL);
  const expected = await generateBootImage(other, OciImage.openRef(other, 'tag').manifestDigest);
  const found = await checkBoot(repo, stored(), { expected });
  const format = 'format version: that image is of V2, and this one of V1';
  assert.deepEqual(
    explanation(found, 2).filter((line) => line !== format),
    ['algorithm: that image has digests of sha512'],
  );
});

test('a layer that changes the tree behind the UKI is found, with the paths', async (t) => {
  const digest = await idOf(t, 1);
  const late = tarArchive([tarDirectory('usr/bin/', { mtime: 4000 }), tarFile('usr/bin/late', 'x', { mtime: 4000 })]);
  const image = withUki(`composefs.digest=?v1-sha256-12:${digest}`, late);
  assert.deepEqual(explanation(await check(t, image), 2), [
    'layers: that image is of the first 1 of 2 layers; the others change 2 paths:',
    '  /usr/bin (mtime)',
    '  /usr/bin/late (added)',
  ]);
});

test('an image that is stored is compared, label by label', async (t) => {
  const { repo, stored } = await withImage(t, withUki('composefs=?0'));
  const root = await createFilesystem(repo, stored().configDigest, { configVerity: stored().configVerity });
  transformForBoot(root, repo.objects);
  const opt = getDirectory(root, byteStringFromText('opt'));
  opt.stat = { ...opt.stat, mtimeSec: 7, xattrs: new Map([[SELINUX, byteStringFromText('other_t')]]) };
  const expected = await repo.commitImageVersion(root, 1);
  const found = await checkBoot(repo, stored(), { expected });
  assert.equal(found.problems.at(-1)?.code, 'WRONG_DIGEST');
  assert.deepEqual(explanation(found, 1), [
    'tree: that image is stored, and this one differs from it in 1 paths:',
    '  /opt (mtime, label: other_t → system_u:object_r:opt_t:s0)',
  ]);
});

test('a repository without fs-verity cannot boot a UKI that demands it', async (t) => {
  const found = await check(t, withUki(`composefs.digest=v1-sha256-12:${await idOf(t, 1)}`));
  assert.deepEqual(codes(found), ['VERITY_REQUIRED']);
});
