import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { FormatConfig } from '../../../src/composefs/erofs/index.js';
import type { ObjectId } from '../../../src/composefs/fsverity/object-id.js';
import type { Repository } from '../../../src/composefs/repository/index.js';
import { bootImage } from '../../../src/oci/boot/boot-images.js';
import { type PrepareBootOptions, type PreparedBoot, prepareBoot } from '../../../src/oci/boot/prepare-boot.js';
import { pull } from '../../../src/oci/import/pull.js';
import { OciImage } from '../../../src/oci/store/image.js';
import { type BootTreeOptions, bootableImage, bootTree, KVER } from '../../support/boot-images.js';
import { filesBelow } from '../../support/files-below.js';
import { buildImage, spdxArtifact, type TestImage } from '../../support/oci-fixtures.js';
import { buildUki } from '../../support/pe-builder.js';
import { deleteObject, isSound, layoutOf, PULL, replaceObject, tempDir, tempRepository } from '../oci-support.js';

interface Machine {
  readonly repo: Repository;
  readonly boot: string;
  readonly state: string;
  readonly image: () => OciImage;
  readonly prepare: (options?: Partial<PrepareBootOptions>) => Promise<PreparedBoot>;
}

async function machine(
  t: TestContext,
  image: TestImage,
  erofsFormats: FormatConfig = { default: 1, extra: [] },
): Promise<Machine> {
  const repo = await tempRepository(t, { algorithm: 'sha256', erofsFormats, insecure: true });
  await pull(repo, layoutOf(t, image), 'tag', PULL);
  const root = tempDir(t);
  const [boot, state] = [join(root, 'boot'), join(root, 'sysroot')];
  mkdirSync(boot);
  const open = (): OciImage => OciImage.openRef(repo, 'tag');
  const prepare = (options: Partial<PrepareBootOptions> = {}): Promise<PreparedBoot> =>
    prepareBoot(repo, open(), { bootPartition: boot, stateRoot: state, ...options });
  return { repo, boot, state, image: open, prepare };
}

test('a kernel with initramfs gets an entry, a linked boot image and directories for its state (spec 50 §12)', async (t) => {
  const { repo, boot, state, image, prepare } = await machine(t, bootableImage({ policy: true }));
  const { image: id, argument, stateDirectories, written } = await prepare();
  assert.equal(id, bootImage(repo, image().manifestDigest));
  assert.equal(argument, `composefs.digest=?v1-sha256-12:${id}`);
  const entry = `loader/entries/${KVER}.conf`;
  assert.deepEqual(filesBelow(boot), [`${KVER}/initramfs.img`, `${KVER}/vmlinuz`, entry]);
  assert.deepEqual(readFileSync(join(boot, KVER, 'vmlinuz')), Buffer.alloc(5000, 'K'));
  assert.deepEqual(readFileSync(join(boot, KVER, 'initramfs.img')), Buffer.alloc(7000, 'I'));
  assert.equal(
    readFileSync(join(boot, entry), 'utf8'),
    `# File created by composefs
title todoOS
version 0-todo
linux /${KVER}/vmlinuz
initrd /${KVER}/initramfs.img
options ${argument}
`,
  );
  assert.deepEqual(written?.entry, entry);
  assert.deepEqual(
    stateDirectories,
    ['var', 'etc/upper', 'etc/work'].map((name) => join(state, 'state/deploy', id, name)),
  );
  for (const directory of stateDirectories) assert.ok(existsSync(directory));
  assert.ok(await isSound(repo));

  // What the image keeps over reboots stays; the boot image is there already.
  writeFileSync(join(stateDirectories[0] ?? '', 'kept'), 'x');
  const again = await prepare({ entryId: 'other', cmdline: ['quiet', 'a=b'] });
  assert.equal(again.image, id);
  assert.ok(existsSync(join(stateDirectories[0] ?? '', 'kept')));
  const options = /^options .*$/m.exec(readFileSync(join(boot, 'loader/entries/other.conf'), 'utf8'))?.[0];
  assert.equal(options, `options ${argument} quiet a=b`);
  assert.ok(existsSync(join(boot, 'other/vmlinuz')));
});

test('the argument has the form that the formats of the repository give it', async (t) => {
  const cases: [FormatConfig, (v1: ObjectId, v2: ObjectId) => string][] = [
    [{ default: 1, extra: [] }, (v1) => `composefs.digest=?v1-sha256-12:${v1}`],
    [{ default: 2, extra: [] }, (_, v2) => `composefs=?${v2}`],
    // An image is found by its digest, whichever form names it (spec 50, open point 7).
    [{ default: 1, extra: [2] }, (v1) => `composefs=?${v1}`],
    [{ default: 2, extra: [1] }, (v1) => `composefs=?${v1}`],
  ];
  for (const [formats, expected] of cases) {
    const { image, prepare } = await machine(t, bootableImage(), formats);
    const { argument } = await prepare();
    const [v1, v2] = [image().bootImageRef(1), image().bootImageRef(2)];
    assert.equal(argument, expected(v1 ?? ('' as ObjectId), v2 ?? ('' as ObjectId)));
  }
});

test('a dry run says what would be written, and changes nothing', async (t) => {
  const { repo, boot, state, image, prepare } = await machine(t, bootableImage());
  const before = image().configVerity;
  const planned = await prepare({ dryRun: true, entryId: 'x' });
  assert.equal(planned.written, undefined);
  assert.deepEqual(
    [...planned.plan.files, planned.plan.entry].map(({ path }) => path),
    ['x/vmlinuz', 'x/initramfs.img', 'loader/entries/x.conf'],
  );
  assert.deepEqual([filesBelow(boot), existsSync(state)], [[], false]);
  assert.equal(image().configVerity, before);
  assert.equal((await repo.gc({ dryRun: true })).objectsRemoved, 0);
  const { image: id, argument } = await prepare({ entryId: 'x' });
  assert.deepEqual([planned.image, planned.argument], [id, argument]);
});

test('a UKI is written if it names the boot image, and only then', async (t) => {
  const tree: BootTreeOptions = { policy: true, kernel: false };
  const base = await machine(t, buildImage([bootTree(tree)]));
  const { image: id } = await checkedId(base);
  const withUki = (cmdline: string): TestImage =>
    buildImage([bootTree({ ...tree, boot: { 'EFI/Linux/my.efi': buildUki(cmdline) } })]);
  const good = withUki(`quiet composefs.digest=?v1-sha256-12:${id} rw`);
  const { boot, prepare } = await machine(t, good);
  await assert.rejects(prepare({ cmdline: ['x'] }), {
    code: 'UKI_CMDLINE',
    message: "Can't add --cmdline args to UKIs",
  });
  await prepare({ entryId: 'renamed' });
  await prepare();
  assert.deepEqual(filesBelow(boot), ['EFI/Linux/my.efi', 'EFI/Linux/renamed.efi']);
  for (const [cmdline, code] of [
    [`composefs.digest=v1-sha256-12:${'0'.repeat(64)}`, 'WRONG_UKI_DIGEST'],
    ['quiet', 'UKI_WITHOUT_KARG'],
  ] as const) {
    const refused = await machine(t, withUki(cmdline));
    await assert.rejects(refused.prepare(), { code });
    assert.deepEqual([filesBelow(refused.boot), existsSync(refused.state)], [[], false]);
  }
});

/** The id of an image that has nothing to boot from. */
async function checkedId({ repo, image }: Machine): Promise<{ image: ObjectId }> {
  const { generateBootImage } = await import('../../../src/oci/boot/boot-images.js');
  return { image: await generateBootImage(repo, image().manifestDigest) };
}

test('what cannot be booted is refused, and leaves the boot partition as it was', async (t) => {
  const cases: [TestImage, string][] = [
    [buildImage([bootTree({ kernel: false })]), 'NO_BOOT_ENTRIES'],
    [bootableImage({ without: ['sysroot'] }), 'ENTRY_NOT_FOUND'],
    [bootableImage({ boot: { 'loader/entries/a.conf': 'linux /none\n' } }), 'ENTRY_NOT_FOUND'],
    [spdxArtifact(), 'NOT_A_CONTAINER_IMAGE'],
  ];
  for (const [image, code] of cases) {
    const { boot, state, prepare } = await machine(t, image);
    writeFileSync(join(boot, 'file'), 'x');
    await assert.rejects(prepare(), { code });
    assert.deepEqual([filesBelow(boot), existsSync(state)], [['file'], false]);
  }
});

test('entries are found in the layers where the plain image is gone; layers are checked on demand', async (t) => {
  const { repo, boot, image, prepare } = await machine(t, bootableImage());
  const plain = image().imageRef(1);
  assert.ok(plain !== undefined);
  deleteObject(repo, plain);
  await prepare({ verifyLayers: true });
  assert.equal(filesBelow(boot).length, 3);
  const [layer] = image().layerRefs.values();
  assert.ok(layer !== undefined);
  replaceObject(repo, layer, 'damaged');
  await assert.rejects(prepare({ verifyLayers: true, entryId: 'second' }), { code: 'DIGEST_MISMATCH' });
  assert.equal(filesBelow(boot).length, 3);
});
