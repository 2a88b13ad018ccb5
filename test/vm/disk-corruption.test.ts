import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, cpSync, mkdirSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { computeVerity } from '../../src/composefs/fsverity/digest.js';
import { objectPathname } from '../../src/composefs/fsverity/object-id.js';
import { buildImage, LayoutBuilder } from '../support/oci-fixtures.js';
import { packageRoot, sharedPath, withTempDir } from '../support/paths.js';
import { tarArchive, tarDirectory, tarFile } from '../support/tar-builder.js';
import { xoshiroBytes } from '../support/xoshiro.js';

/**
 * On a kernel with fs-verity, in a virtual machine: an image is pulled and mounted with verity required, then one byte
 * of one object is changed on the disk below. Reading the file must fail, and fsck must name the object.
 */

const vm = sharedPath('tools', 'verity-vm');
const skip =
  process.env['COMPOSEFS_TEST_VM'] === undefined
    ? 'boots a virtual machine: set COMPOSEFS_TEST_VM=1'
    : vm === undefined
      ? 'no tools/verity-vm in ../shared'
      : false;

/** Runs a shell script in the machine; its disk is kept in a file. Returns what it printed and its status. */
function runInVm(work: string, script: string): { status: number | null; output: string } {
  writeFileSync(join(work, 'script'), `set -e\nalias cfsctl='node /app/dist/lib/cfsctl.js'\n${script}`);
  const adds = ['app:/app', 'layout:/layout', 'script:/script'].map((pair) => `--add=${join(work, pair)}`);
  const options = ['--disk', join(work, 'disk'), '--size', '512M', '--timeout', '280'];
  const args = [...adds.flatMap((add) => ['--add', add.slice('--add='.length)]), ...options, '--', 'sh', '/script'];
  const { status, stdout, stderr } = spawnSync(vm ?? '', args, { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

/** Flips one bit in the middle of the only place where `content` begins on the disk. */
function corrupt(disk: string, content: Buffer): void {
  const fd = openSync(disk, 'r+');
  try {
    const block = Buffer.alloc(4096);
    for (let offset = 0; readSync(fd, block, 0, block.length, offset) === block.length; offset += block.length) {
      if (!block.equals(content.subarray(0, block.length))) continue;
      block[100] = (block[100] ?? 0) ^ 1;
      writeSync(fd, block, 0, block.length, offset);
      return;
    }
    throw new Error('the content is not on the disk');
  } finally {
    closeSync(fd);
  }
}

describe('fs-verity in the kernel', { skip }, () => {
  for (const algorithm of ['sha256', 'sha512'] as const) {
    test(`a byte changed below is found by the kernel and by fsck (${algorithm})`, () => {
      withTempDir((work) => {
        mkdirSync(join(work, 'app', 'dist'), { recursive: true });
        cpSync(join(packageRoot, 'dist', 'lib'), join(work, 'app', 'dist', 'lib'), { recursive: true });
        cpSync(join(packageRoot, 'package.json'), join(work, 'app', 'package.json'));
        for (const name of ['@koromix', 'commander', '@hpcc-js', 'smol-toml']) {
          cpSync(join(packageRoot, 'node_modules', name), join(work, 'app', 'node_modules', name), { recursive: true });
        }
        const good = xoshiroBytes(20000, 1);
        const bad = xoshiroBytes(20000, 2);
        const files = [tarDirectory('usr/'), tarFile('usr/good', good), tarFile('usr/bad', bad)];
        new LayoutBuilder().addImage(buildImage([tarArchive(files)]), { tag: 'a' }).write(join(work, 'layout'));

        const made = runInVm(
          work,
          `cfsctl --repo /data/repo init --algorithm fsverity-${algorithm}-12
           cfsctl --repo /data/repo --require-verity oci pull oci:/layout:a test
           mkdir -p /tmp/mnt; cfsctl --repo /data/repo oci mount --fuse=no test /tmp/mnt
           grep /tmp/mnt /proc/mounts; cmp /tmp/mnt/usr/good /tmp/mnt/usr/good; sha256sum /tmp/mnt/usr/bad
           cfsctl --repo /data/repo oci fsck; umount /tmp/mnt`,
        );
        assert.equal(made.status, 0, made.output);
        assert.match(made.output, /verity: {4}required/);
        assert.match(made.output, /verity=require/);
        assert.match(made.output, /oci images: 1\/1 ok/);

        corrupt(join(work, 'disk'), bad);
        const id = computeVerity(algorithm, bad);
        const found = runInVm(
          work,
          `mkdir -p /tmp/mnt; cfsctl --repo /data/repo oci mount --fuse=no test /tmp/mnt
           cat /tmp/mnt/usr/good >/dev/null && echo good-reads
           cat /tmp/mnt/usr/bad >/dev/null || echo bad-fails
           cfsctl --repo /data/repo fsck || echo fsck-fails; umount /tmp/mnt`,
        );
        assert.equal(found.status, 0, found.output);
        assert.match(found.output, /good-reads/);
        assert.match(found.output, /bad-fails/);
        assert.match(found.output, /fsck-fails/);
        assert.ok(found.output.includes(`objects/${objectPathname(id)}`), found.output);
      });
    });
  }
});
