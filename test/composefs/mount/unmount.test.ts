import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { byteStringFromText } from '../../../src/bytes/byte-string.js';
import { writeErofs } from '../../../src/composefs/erofs/writer/write.js';
import { attachAndClose } from '../../../src/composefs/mount/attach.js';
import { composefsFsmount } from '../../../src/composefs/mount/composefs-mount.js';
import { imageLayerOf, isComposefsMount } from '../../../src/composefs/mount/composefs-mounts.js';
import { erofsMount } from '../../../src/composefs/mount/erofs-mount.js';
import { unmountImage } from '../../../src/composefs/mount/unmount.js';
import { Directory } from '../../../src/composefs/tree/inode.js';
import { NO_XATTRS } from '../../../src/composefs/tree/stat.js';
import {
  fsconfigCreate,
  fsconfigFlag,
  fsconfigString,
  fsmount,
  fsopen,
  MNT_DETACH,
  umount2,
} from '../../../src/linux/mount-api.js';
import { type MountInfo, parseMountInfo, readMountInfo, visibleMountAt } from '../../../src/system/mount-info.js';
import { reasonNotToMountImages } from '../../support/mounting.js';
import { withTempDir } from '../../support/paths.js';
import { withFd } from '../../support/with-fd.js';

const skip = reasonNotToMountImages();

test('mounts of composefs are known by their type and source', () => {
  const isOurs = (typeAndSource: string): boolean => isComposefsMount(mountLine(`${typeAndSource} rw`));
  assert(isOurs('overlay composefs:app'));
  assert(isOurs('overlay composefs'));
  assert(isOurs('overlay composefs-fuse'));
  assert(isOurs('fuse composefs-fuse'));
  assert(isOurs('fuse composefs:app'));
  assert(isOurs('fuse /dev/fuse'));
  assert(isOurs('fuse.composefs-fuse composefs-fuse'));
  assert(!isOurs('overlay overlay'));
  assert(!isOurs('tmpfs composefs:app'));
  assert(!isOurs('erofs composefs'));
  assert(!isOurs('fuse.sshfs composefs:/x'));
});

test('the tree of an overlay is its first layer, if that has a path', () => {
  const layer = (options: string): string | undefined => imageLayerOf(mountLine(`overlay composefs ${options}`));
  assert.equal(layer('ro,lowerdir=/tmp/a::/objects,metacopy=on'), '/tmp/a');
  assert.equal(layer('ro,lowerdir=/tmp/a\\134:b::/objects'), '/tmp/a:b');
  assert.equal(layer('ro,lowerdir+=/tmp/a\\072b,datadir+=/objects'), '/tmp/a:b');
  assert.equal(layer('ro,lowerdir+=/,datadir+=/objects'), undefined);
  assert.equal(layer('ro,lowerdir=/proc/self/fd/6::/proc/self/fd/4'), undefined);
  assert.equal(layer('ro,xino=off'), undefined);
});

test('what is no mount point, and what is mounted by others, is refused', () => {
  withTempDir((directory) => {
    assert.throws(() => unmountImage(directory), {
      code: 'NOT_MOUNTED',
      message: `${directory} is not a mount point`,
    });
    assert.throws(() => unmountImage(join(directory, 'none')), { code: 'ENOENT', message: /^Resolving .*none$/ });
  });
  assert.throws(() => unmountImage('/proc'), {
    code: 'NOT_COMPOSEFS',
    message: "/proc is not a composefs mount: it is proc, mounted from 'proc'",
  });
});

test('an image is unmounted, one at a time, also through a symlink', { skip }, () => {
  withImage(({ mountPoint, image, directory }) => {
    mountImage(image, mountPoint);
    mountImage(image, mountPoint);
    const link = join(directory, 'link');
    symlinkSync(mountPoint, link);
    unmountImage(link);
    assert.equal(mountAt(mountPoint)?.source, 'composefs:test');
    unmountImage(`${mountPoint}/../mnt/`);
    assert.equal(mountAt(mountPoint), undefined);
  });
});

test('names with spaces, newlines and backslashes', { skip }, () => {
  withImage(({ image, directory }) => {
    const mountPoint = join(directory, 'a b\nc\\040ä');
    mkdirSync(mountPoint);
    mountImage(image, mountPoint);
    unmountImage(mountPoint);
    assert.equal(mountAt(mountPoint), undefined);
  });
});

test('the tree goes with the overlay that it was mounted for', { skip }, () => {
  withImage(({ mountPoint, image, directory }) => {
    const tree = join(directory, 'tree');
    mkdirSync(tree);
    withFd(image, (fd) => attachAndClose(erofsMount(fd), tree));
    for (let i = 0; i < 2; i++) overlayOf(tree, join(directory, 'objects'), mountPoint);
    unmountImage(mountPoint);
    assert.equal(mountAt(tree)?.fsType, 'erofs', 'the other overlay needs it');
    unmountImage(mountPoint);
    assert.equal(mountAt(tree), undefined);
  });
});

test('who uses a busy mount is named; a lazy unmount does not care', { skip }, async () => {
  await withImage(async ({ mountPoint, image }) => {
    mountImage(image, mountPoint);
    const user = spawn('sleep', ['60'], { cwd: mountPoint, stdio: 'ignore' });
    try {
      await new Promise((resolve) => user.once('spawn', resolve));
      assert.throws(() => unmountImage(mountPoint), {
        code: 'EBUSY',
        message: `${mountPoint} is in use by sleep (process ${user.pid}, working directory)`,
        hint: /--lazy/,
      });
      unmountImage(mountPoint, { lazy: true });
      assert.equal(mountAt(mountPoint), undefined);
    } finally {
      user.kill('SIGKILL');
    }
  });
});

test('a FUSE mount whose server is gone is cleared', { skip: skip || noFuse() }, () => {
  withTempDir((directory) => {
    const device = openSync('/dev/fuse', 'r+');
    const context = fsopen('fuse');
    fsconfigString(context, 'source', 'composefs-fuse');
    for (const [key, value] of Object.entries({ rootmode: '040555', user_id: '0', group_id: '0', fd: `${device}` })) {
      fsconfigString(context, key, value);
    }
    fsconfigFlag(context, 'ro');
    fsconfigCreate(context);
    attachAndClose(fsmount(context, 0), directory);
    closeSync(context);
    closeSync(device);
    assert.throws(() => openSync(join(directory, 'x'), 'r'), { code: 'ENOTCONN' });
    unmountImage(directory);
    assert.equal(mountAt(directory), undefined);
  });
});

interface Fixture {
  readonly directory: string;
  readonly image: string;
  readonly mountPoint: string;
}

/** An image of an empty directory, and a place to mount it; what is mounted there goes away. */
function withImage<T>(action: (fixture: Fixture) => T): T {
  return withTempDir((directory) => {
    const fixture = { directory, image: join(directory, 'image'), mountPoint: join(directory, 'mnt') };
    for (const name of ['mnt', 'objects']) mkdirSync(join(directory, name));
    const root = new Directory({ mode: 0o755, uid: 0, gid: 0, mtimeSec: 0, mtimeNsec: 0, xattrs: NO_XATTRS });
    writeFileSync(fixture.image, writeErofs(root, { version: 1, algorithm: 'sha256' }));
    const clear = (): void => {
      for (const mount of readMountInfo().reverse()) {
        if (mount.mountPoint.startsWith(`${directory}/`)) umount2(Buffer.from(mount.mountPoint, 'latin1'), MNT_DETACH);
      }
    };
    let result: T;
    try {
      result = action(fixture);
    } catch (error) {
      clear();
      throw error;
    }
    if (result instanceof Promise) return result.finally(clear) as T;
    clear();
    return result;
  });
}

function mountImage(image: string, mountPoint: string): void {
  withFd(image, (fd) => {
    withFd(join(mountPoint, '..', 'objects'), (objects) => {
      attachAndClose(composefsFsmount(fd, 'test', [objects]), mountPoint);
    });
  });
}

function overlayOf(tree: string, objects: string, mountPoint: string): void {
  const context = fsopen('overlay');
  try {
    fsconfigString(context, 'source', 'composefs');
    fsconfigString(context, 'metacopy', 'on');
    fsconfigString(context, 'lowerdir', `${tree}::${objects}`);
    fsconfigCreate(context);
    attachAndClose(fsmount(context, 0), mountPoint);
  } finally {
    closeSync(context);
  }
}

function mountAt(path: string): MountInfo | undefined {
  return visibleMountAt(readMountInfo(), byteStringFromText(path));
}

function mountLine(rest: string): MountInfo {
  const [mount] = parseMountInfo(Buffer.from(`1 0 0:1 / /mnt rw - ${rest}\n`, 'latin1'));
  assert(mount !== undefined);
  return mount;
}

function noFuse(): string | false {
  try {
    closeSync(openSync('/dev/fuse', 'r+'));
    closeSync(fsopen('fuse'));
    return false;
  } catch (error) {
    return `no FUSE: ${error}`;
  }
}
