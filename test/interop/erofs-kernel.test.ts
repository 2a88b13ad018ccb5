import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { byteStringFrom, byteStringToBuffer } from '../../src/bytes/byte-string.js';
import { directoryEntries, ErofsImage, type ErofsInode, writeErofs } from '../../src/composefs/erofs/index.js';
import { filterXattrs, forEachStat } from '../../src/composefs/tree/walk.js';
import { readXattrs } from '../../src/linux/xattr.js';
import { withTempDir } from '../support/paths.js';
import { randomTree } from '../support/random-tree.js';

/** What the kernel makes of our images, and `fsck.erofs` where it is. `COMPOSEFS_TEST_INTEROP`: the number of trees. */
const { COMPOSEFS_TEST_INTEROP = '15' } = process.env;
const TREES = Number(COMPOSEFS_TEST_INTEROP);

function isMountable(): boolean {
  if (process.getuid?.() !== 0 || !/\berofs$/m.test(readFileSync('/proc/filesystems', 'utf8'))) return false;
  return withTempDir((path) => {
    const root = fc.sample(randomTree({ maxEntries: 0 }), 1)[0];
    if (root === undefined) return false;
    writeFileSync(join(path, 'image'), writeErofs(root, { version: 1, algorithm: 'sha256' }));
    mkdirSync(join(path, 'mnt'));
    if (spawnSync('mount', mountArguments(path)).status !== 0) return false;
    return spawnSync('umount', [join(path, 'mnt')]).status === 0;
  });
}

function mountArguments(path: string): string[] {
  return ['-t', 'erofs', '-o', 'loop,ro', join(path, 'image'), join(path, 'mnt')];
}

const skipMount = isMountable() ? false : 'mounting EROFS images needs root, loop devices and a kernel with EROFS';
const skipFsck = spawnSync('fsck.erofs', ['--help']).error === undefined ? false : 'fsck.erofs is absent';

/** The owner -1 maps to nobody: even root may not read what is its. */
const UNMAPPED = 0xffffffff;
/** Xattrs that the kernel interprets, or does not show. */
const HIDDEN = /^(system\.|security\.capability|lustre\.|other$|user\.$)/;

function images(count: number): { image: Buffer; version: 0 | 1 | 2 }[] {
  const trees = randomTree({ noVerity: true, overlayXattrs: true, inlineMax: 3000, targetMax: 3000, maxEntries: 80 });
  return fc.sample(trees, count).flatMap((root) => {
    filterXattrs(root, (name) => !HIDDEN.test(name));
    forEachStat(root, (stat) => ({ ...stat, uid: stat.uid % UNMAPPED, gid: stat.gid % UNMAPPED }));
    return ([0, 1, 2] as const).map((version) => ({
      image: writeErofs(root, { version, algorithm: 'sha256' }),
      version,
    }));
  });
}

test('the kernel sees in an image what the reader sees', { skip: skipMount }, () => {
  for (const { image } of images(TREES)) {
    withTempDir((path) => {
      writeFileSync(join(path, 'image'), image);
      mkdirSync(join(path, 'mnt'));
      assert.equal(spawnSync('mount', mountArguments(path)).status, 0);
      try {
        const erofs = ErofsImage.open(image);
        compare(erofs, erofs.root(), Buffer.from(join(path, 'mnt')));
      } finally {
        assert.equal(spawnSync('umount', [join(path, 'mnt')]).status, 0);
      }
    });
  }
});

function compare(erofs: ErofsImage, root: ErofsInode, mountPoint: Buffer): void {
  const pending: [ErofsInode, Buffer][] = [[root, mountPoint]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [inode, path] = next;
    compareStat(inode, path);
    if (inode.isSymlink) {
      assert.ok(readlinkSync(path, 'buffer').equals(contentOf(inode)));
    } else if (inode.isRegular && inode.size <= 4096 && inode.layout !== 8) {
      assert.ok(readFileSync(path).equals(contentOf(inode)));
    } else if (inode.isDirectory) {
      const entries = [...erofs.directoryParts(inode)].flatMap((part) => [...directoryEntries(part)]);
      const children = entries.filter(({ name }) => name !== '.' && name !== '..');
      assert.deepEqual(
        readdirSync(path, 'buffer').map(byteStringFrom).sort(),
        children.map(({ name }) => name),
      );
      for (const { name, nid } of children) {
        pending.push([erofs.inode(nid), Buffer.concat([path, Buffer.from('/'), byteStringToBuffer(name)])]);
      }
    }
  }
}

function compareStat(inode: ErofsInode, path: Buffer): void {
  const stat = lstatSync(path, { bigint: true });
  const isDevice = stat.isCharacterDevice() || stat.isBlockDevice();
  assert.deepEqual(
    {
      mode: Number(stat.mode),
      size: stat.size,
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      nlink: Number(stat.nlink),
      mtime: stat.mtimeNs,
      xattrs: inode.isRegular || inode.isDirectory ? [...readXattrs(path)].sort() : [],
    },
    {
      mode: inode.mode,
      size: BigInt(inode.size),
      uid: inode.uid,
      gid: inode.gid,
      nlink: inode.nlink,
      mtime: BigInt(inode.mtimeSec) * 1_000_000_000n + BigInt(inode.mtimeNsec),
      xattrs: inode.isRegular || inode.isDirectory ? xattrsOf(inode) : [],
    },
    path.toString('latin1'),
  );
  if (isDevice) assert.equal(stat.rdev === 0n, inode.u === 0);
}

function xattrsOf(inode: ErofsInode): [string, string][] {
  return [...inode.xattrs()].map((xattr): [string, string] => [xattr.name, xattr.valueBytes]).sort();
}

function contentOf(inode: ErofsInode): Buffer {
  const { start, end } = inode.image.inodeBlocks(inode);
  const { blockSize } = inode.image;
  const blocks = inode.image.slice(start * blockSize, (end - start) * blockSize);
  return Buffer.concat([blocks, inode.inline() ?? Buffer.alloc(0)]).subarray(0, inode.size);
}

test('fsck.erofs accepts our images', { skip: skipFsck }, () => {
  for (const { image, version } of images(TREES)) {
    withTempDir((path) => {
      writeFileSync(join(path, 'image'), image);
      const { status, stdout, stderr } = spawnSync('fsck.erofs', [join(path, 'image')]);
      assert.equal(status, 0, `V${version}: ${stdout}${stderr}`);
    });
  }
});
