import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mkcomposefs } from '../../src/cli/tools/mkcomposefs.js';
import { mountComposefs } from '../../src/cli/tools/mount-composefs.js';
import { enableVerityRaw, measureVerity } from '../../src/composefs/fsverity/kernel.js';
import { umount2 } from '../../src/linux/mount-api.js';
import { failureOf } from '../cli/tools/tool-support.js';
import { runOurTool } from '../support/c-tools.js';
import { withTempDir } from '../support/paths.js';
import { withFd } from '../support/with-fd.js';

/** A directory on a file system with fs-verity, on a kernel whose overlayfs has `verity=`; as root. */
const { COMPOSEFS_TEST_VERITY_DIR: verityDirectory = '' } = process.env;
const skip = verityDirectory === '' ? 'COMPOSEFS_TEST_VERITY_DIR names no directory with fs-verity' : false;

function withImage(action: (work: string) => Promise<void>): Promise<void> {
  return withTempDir(async (work) => {
    for (const name of ['root', 'mnt']) mkdirSync(join(work, name));
    writeFileSync(join(work, 'root/a-file'), Buffer.alloc(5000, 'a'));
    await mkcomposefs([`--digest-store=${work}/objects`, `${work}/root`, `${work}/image`]);
    await action(work);
  }, verityDirectory);
}

function objectPath(work: string): string {
  const [directory = ''] = readdirSync(join(work, 'objects'));
  const [name = ''] = readdirSync(join(work, 'objects', directory));
  return join(work, 'objects', directory, name);
}

function readMounted(work: string, options: string): Buffer {
  mountComposefs(['-o', `basedir=${work}/objects${options}`, `${work}/image`, `${work}/mnt`]);
  try {
    return readFileSync(join(work, 'mnt/a-file'));
  } finally {
    umount2(`${work}/mnt`, 0);
  }
}

test('the store has fs-verity on every object', { skip }, () =>
  withImage(async (work) => {
    const path = objectPath(work);
    assert.ok(path.replace('/', '').endsWith(withFd(path, (fd) => measureVerity(fd, 'sha256')).slice(2)));
  }),
);

test('CLI-514: the digest of an image is demanded of the kernel', { skip }, () =>
  withImage(async (work) => {
    const mount = (digest: string): Promise<string> =>
      failureOf(mountComposefs, '-o', `basedir=${work}/objects,digest=${digest}`, `${work}/image`, `${work}/mnt`);
    const failed = `mount.composefs: Failed to mount composefs ${work}/image`;
    assert.equal(await mount('a'.repeat(64)), `${failed}: Image has no fs-verity\n\n`);
    withFd(join(work, 'image'), (fd) => enableVerityRaw(fd, 'sha256'));
    assert.equal(await mount('a'.repeat(64)), `${failed}: Image has wrong fs-verity\n\n`);
    const digest = withFd(join(work, 'image'), (fd) => measureVerity(fd, 'sha256'));
    assert.equal(await mount(digest.slice(0, 62)), `${failed}: Image has wrong fs-verity\n\n`);
    assert.equal(runOurTool('composefs-info', ['measure-file', `${work}/image`]).stdout.toString(), `${digest}\n`);
    const content = Buffer.alloc(5000, 'a');
    assert.deepEqual(readMounted(work, `,digest=${digest}`), content);
    assert.deepEqual(readMounted(work, `,digest=${digest.toUpperCase()}`), content);
  }),
);

test('an image with fs-verity of another algorithm is the wrong one', { skip }, () =>
  withImage(async (work) => {
    withFd(join(work, 'image'), (fd) => enableVerityRaw(fd, 'sha512'));
    const options = `basedir=${work}/objects,digest=${'a'.repeat(64)}`;
    assert.match(
      await failureOf(mountComposefs, '-o', options, `${work}/image`, `${work}/mnt`),
      /: Image has wrong fs-verity\n\n$/,
    );
  }),
);

test('verity: an object without fs-verity is not served', { skip }, () =>
  withImage(async (work) => {
    const path = objectPath(work);
    const content = readFileSync(path);
    rmSync(path);
    writeFileSync(path, content);
    assert.deepEqual(readMounted(work, ''), content);
    for (const option of [',verity', ',tryverity', ',digest=']) {
      assert.throws(() => readMounted(work, option), { code: 'EIO' });
    }
    withFd(path, (fd) => enableVerityRaw(fd, 'sha256'));
    assert.deepEqual(readMounted(work, ',verity'), content);
  }),
);
