import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { transformForBoot, transformForBootFromDir } from '../../src/boot/transform.js';
import type { HashAlgorithm } from '../../src/composefs/fsverity/algorithm.js';
import { computeImageId } from '../../src/composefs/repository/commit.js';
import { Repository } from '../../src/composefs/repository/repository.js';
import { readDirectory } from '../../src/composefs/scan/read-directory.js';
import type { Directory } from '../../src/composefs/tree/inode.js';
import { OciImage, pull } from '../../src/oci/index.js';
import { createFilesystem } from '../../src/oci/layer/filesystem.js';
import { transformForOci } from '../../src/oci/tree/transform.js';
import { dumpOf } from '../support/dumpfiles.js';
import { buildImage, LayoutBuilder } from '../support/oci-fixtures.js';
import { withTempDir } from '../support/paths.js';
import { referenceCfsctl, runProgram } from '../support/programs.js';
import { randomNumbers } from '../support/random.js';
import { fillBootableDirectory } from '../support/random-policy.js';

/**
 * Directories and policies made at random become the same boot image here and in composefs-rs.
 * `COMPOSEFS_TEST_INTEROP` is the number of directories, `COMPOSEFS_TEST_SEED` the first of their seeds;
 * `COMPOSEFS_TEST_BOOT_ROOT` names a root with a real policy.
 */
const { COMPOSEFS_TEST_INTEROP = '6', COMPOSEFS_TEST_SEED = '1', COMPOSEFS_TEST_BOOT_ROOT } = process.env;
const COUNT = Number(COMPOSEFS_TEST_INTEROP);

const reference = referenceCfsctl();
const skip =
  reference === undefined
    ? 'cfsctl of composefs-rs is not installed (COMPOSEFS_RS_CFSCTL)'
    : process.getuid?.() !== 0
      ? 'making devices needs root'
      : false;

const theirs = (...args: string[]): string => runProgram(reference ?? '', args).toString();

async function bootTreeOf(path: string, algorithm: HashAlgorithm): Promise<Directory> {
  const root = await readDirectory(path, { destination: { kind: 'none', algorithm } });
  transformForOci(root);
  transformForBootFromDir(root, path);
  return root;
}

/** False if both refuse it. */
async function compareDirectory(path: string): Promise<boolean> {
  if (spawnSync(reference ?? '', ['create-dumpfile', '--bootable', path], { stdio: 'ignore' }).status !== 0) {
    await assert.rejects(bootTreeOf(path, 'sha256'), { code: 'INVALID_SELINUX_POLICY' });
    return false;
  }
  for (const algorithm of ['sha256', 'sha512'] as const) {
    const root = await bootTreeOf(path, algorithm);
    const options = ['--hash', algorithm];
    assert.equal(dumpOf(root), theirs(...options, 'create-dumpfile', '--bootable', path));
    for (const version of [0, 1, 2] as const) {
      const id = theirs(...options, '--erofs-version', String(version), 'compute-id', '--bootable', path).trim();
      assert.equal(await computeImageId(root, version, algorithm), id, `${algorithm}, V${version}`);
    }
  }
  return true;
}

test('directories become the same trees, with the same ids', { skip }, async (context) => {
  let labels = 0;
  for (let seed = Number(COMPOSEFS_TEST_SEED); seed < Number(COMPOSEFS_TEST_SEED) + COUNT; seed++) {
    await withTempDir(async (directory) => {
      fillBootableDirectory(directory, randomNumbers(seed));
      context.diagnostic(`seed ${seed}`);
      if (!(await compareDirectory(directory))) return;
      labels += dumpOf(await bootTreeOf(directory, 'sha256')).split('security.selinux=').length - 1;
    });
  }
  assert.ok(labels >= COUNT, `${labels} labels`);
  context.diagnostic(`${COUNT} directories, ${labels} labels`);
});

test('images become the same trees, with the same ids', { skip }, async (context) => {
  for (let seed = Number(COMPOSEFS_TEST_SEED); seed < Number(COMPOSEFS_TEST_SEED) + Math.ceil(COUNT / 3); seed++) {
    await withTempDir(async (directory) => {
      context.diagnostic(`seed ${seed}`);
      const rootfs = join(directory, 'rootfs');
      mkdirSync(rootfs);
      fillBootableDirectory(rootfs, randomNumbers(seed));
      const tar = runProgram('tar', ['-C', rootfs, '--format=pax', '--numeric-owner', '--sort=name', '-c', '.']);
      const layout = new LayoutBuilder().addImage(buildImage([tar]), { tag: 'a' }).write(join(directory, 'layout'));
      const path = join(directory, 'repo');
      theirs('--repo', path, 'init', '--insecure');
      theirs('--repo', path, 'oci', 'pull', `oci:${layout}:a`, 'a');
      await using repo = await Repository.open(path);
      await pull(repo, `oci:${layout}:a`, 'a');
      const root = await createFilesystem(repo, OciImage.openRef(repo, 'a').configDigest);
      transformForBoot(root, repo.objects);
      assert.equal(dumpOf(root), theirs('--repo', path, 'oci', 'dump', '--bootable', 'a'));
      for (const version of [1, 2] as const) {
        const options = ['--repo', path, '--erofs-version', String(version)];
        const id = theirs(...options, 'oci', 'compute-id', '--bootable', 'a').trim();
        assert.equal(await computeImageId(root, version, repo.objects.algorithm), id, `V${version}`);
      }
    });
  }
});

const skipRoot = COMPOSEFS_TEST_BOOT_ROOT === undefined ? 'COMPOSEFS_TEST_BOOT_ROOT names no root' : skip;

test('a real root becomes the same tree, with the same ids', { skip: skipRoot }, async () => {
  assert.ok(await compareDirectory(COMPOSEFS_TEST_BOOT_ROOT ?? ''));
});
