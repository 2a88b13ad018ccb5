import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { byteStringFromText } from '../../../src/bytes/byte-string.js';
import { writeErofs } from '../../../src/composefs/erofs/index.js';
import { computeVerity } from '../../../src/composefs/fsverity/digest.js';
import { objectPathname } from '../../../src/composefs/fsverity/object-id.js';
import { attachAndClose, mountAt } from '../../../src/composefs/mount/attach.js';
import { composefsFsmount } from '../../../src/composefs/mount/composefs-mount.js';
import { erofsLoopMount, erofsMount } from '../../../src/composefs/mount/erofs-mount.js';
import { mountImage, mountImageAt } from '../../../src/composefs/mount/mount-image.js';
import type { MountOptions, VerityRequirement } from '../../../src/composefs/mount/options.js';
import { type LayerMethod, layersByFd, layersByPath } from '../../../src/composefs/mount/overlay-layers.js';
import { Directory, Leaf, type LeafContent } from '../../../src/composefs/tree/inode.js';
import { NO_XATTRS, type Stat } from '../../../src/composefs/tree/stat.js';
import { AT_FDCWD, O_PATH } from '../../../src/linux/constants.js';
import { isSystemError } from '../../../src/linux/errno.js';
import { fsconfigFd, fsconfigString, fsopen, MNT_DETACH, umount2 } from '../../../src/linux/mount-api.js';
import { reasonNotToMountImages } from '../../support/mounting.js';
import { withTempDir } from '../../support/paths.js';
import { until } from '../../support/until.js';
import { withFd } from '../../support/with-fd.js';

const skip = reasonNotToMountImages();

test('an EROFS image is mounted from its file', { skip }, () => {
  withFixture(({ image, mountPoint }) => {
    withFd(image, (imageFd) => {
      withAttached(erofsMount(imageFd), mountPoint, () => {
        assert.equal(readFileSync(join(mountPoint, 'inline'), 'utf8'), 'small');
        assert.equal(mountOf(mountPoint)?.fsType, 'erofs');
        assert(!mountOf(mountPoint)?.superOptions.includes('noacl'));
      });
      withAttached(erofsMount(imageFd, { noAcl: true }), mountPoint, () => {
        assert(mountOf(mountPoint)?.superOptions.includes('noacl'));
      });
    });
  });
});

test('an EROFS image is mounted through a loop device, which goes away with the mount', { skip }, (t) => {
  withFixture(({ image, mountPoint }) => {
    withFd(image, (imageFd) => {
      let mountFd: number;
      try {
        mountFd = erofsLoopMount(imageFd);
      } catch (error) {
        if (
          !isSystemError(error, 'ENXIO', 'EPERM') &&
          !(error instanceof Error && /loop-control/.test(error.message))
        ) {
          throw error;
        }
        t.skip(`no loop devices: ${error}`);
        return;
      }
      withAttached(mountFd, mountPoint, () => {
        assert.equal(readFileSync(join(mountPoint, 'inline'), 'utf8'), 'small');
        const device = mountOf(mountPoint)?.source.replace('/dev/', '') ?? '';
        assert.equal(readFileSync(`/sys/block/${device}/ro`, 'utf8'), '1\n');
        assert.equal(readFileSync(`/sys/block/${device}/loop/autoclear`, 'utf8'), '1\n');
        assert.equal(readFileSync(`/sys/block/${device}/queue/logical_block_size`, 'utf8'), '4096\n');
      });
    });
  });
});

for (const [how, methods] of [
  ['by the best method', undefined],
  ['by descriptors', [layersByFd]],
  ['by paths', [layersByPath]],
] as const) {
  test(`a composefs mount shows the image and reads external files from the objects, ${how}`, { skip }, (t) => {
    withFixture((fixture) => {
      let mountFd: number;
      try {
        mountFd = mountFixture(fixture, 'disabled', {}, methods);
      } catch (error) {
        if (how !== 'by descriptors') throw error;
        t.skip(`the kernel does not take descriptors: ${error}`);
        return;
      }
      withAttached(mountFd, fixture.mountPoint, () => {
        assert.deepEqual(readdirSync(fixture.mountPoint).sort(), ['dir', 'external', 'inline']);
        assert.equal(readFileSync(join(fixture.mountPoint, 'inline'), 'utf8'), 'small');
        assert.deepEqual(readFileSync(join(fixture.mountPoint, 'external')), fixture.content);
        assert.equal(readlinkSync(join(fixture.mountPoint, 'dir/link')), '../external');
        const { fsType, source, mountOptions, superOptions } = mountOf(fixture.mountPoint) ?? failure('no mount');
        assert.equal(fsType, 'overlay');
        assert.equal(source, 'composefs:some-name');
        assert(mountOptions.includes('ro'));
        assert(superOptions.includes('metacopy=on'));
        assert(superOptions.includes('redirect_dir=on'));
        assert.throws(() => writeFileSync(join(fixture.mountPoint, 'new'), ''), { code: 'EROFS' });
      });
    });
  });
}

test('with an upper layer the mount is read-only, unless read-write is asked for', { skip }, (t) => {
  for (const methods of [[layersByFd, layersByPath], [layersByPath]]) {
    withFixture((fixture) => {
      const upper = join(fixture.directory, 'upper');
      const work = join(fixture.directory, 'work');
      mkdirSync(upper);
      mkdirSync(work);
      withFd(upper, (upperFd) =>
        withFd(work, (workFd) => {
          const overlay = { upperFd, workFd };
          let readOnly: number;
          try {
            readOnly = mountFixture(fixture, 'disabled', { overlay }, methods);
          } catch (error) {
            if (!/upper/.test(String(error))) throw error;
            t.skip(`the temporary directory cannot be an upper layer: ${error}`);
            return;
          }
          withAttached(readOnly, fixture.mountPoint, () => {
            assert.throws(() => writeFileSync(join(fixture.mountPoint, 'new'), ''), { code: 'EROFS' });
          });
          withAttached(
            mountFixture(fixture, 'disabled', { overlay, readWrite: true }, methods),
            fixture.mountPoint,
            () => {
              writeFileSync(join(fixture.mountPoint, 'new'), 'written');
              writeFileSync(join(fixture.mountPoint, 'external'), 'changed');
            },
          );
          assert.equal(readFileSync(join(upper, 'new'), 'utf8'), 'written');
          assert.equal(readFileSync(join(upper, 'external'), 'utf8'), 'changed');
          assert.deepEqual(readFileSync(fixture.object), fixture.content);
        }),
      );
    });
  }
});

test('required verity reaches overlayfs; a file without it cannot be read', { skip }, (t) => {
  withFixture((fixture) => {
    let mountFd: number;
    try {
      mountFd = mountFixture(fixture, 'required');
    } catch (error) {
      t.skip(`the kernel's overlayfs has no verity option: ${error}`);
      return;
    }
    withAttached(mountFd, fixture.mountPoint, () => {
      assert(mountOf(fixture.mountPoint)?.superOptions.includes('verity=require'));
      assert.equal(readFileSync(join(fixture.mountPoint, 'inline'), 'utf8'), 'small');
      assert.throws(() => readFileSync(join(fixture.mountPoint, 'external')), { code: 'EIO' });
    });
    withAttached(mountFixture(fixture, 'try'), fixture.mountPoint, () => {
      assert.equal(readFileSync(join(fixture.mountPoint, 'inline'), 'utf8'), 'small');
    });
  });
});

test('a broken image is an error that says why, and nothing is left behind', { skip }, () => {
  withFixture((fixture) => {
    const broken = join(fixture.directory, 'broken');
    writeFileSync(broken, Buffer.alloc(8192));
    const before = resources(fixture);
    withFd(broken, (imageFd) => {
      assert.throws(
        () => composefsFsmount(imageFd, 'x', []),
        /^SystemError: fsconfig create: Invalid argument \(os error 22\)/,
      );
    });
    assert.deepEqual(resources(fixture), before);
  });
});

test('data directories that are none are an error, and nothing is left behind', { skip }, () => {
  withFixture((fixture) => {
    for (const methods of [[layersByFd, layersByPath], [layersByFd], [layersByPath]]) {
      const before = resources(fixture);
      withFd(fixture.image, (imageFd) => {
        // A regular file in place of a directory.
        assert.throws(() => composefsFsmount(imageFd, 'x', [imageFd], 'disabled', {}, methods), { code: /^E[A-Z]+$/ });
        // No descriptor at all.
        assert.throws(() => composefsFsmount(imageFd, 'x', [9999], 'disabled', {}, methods), { code: /^E[A-Z]+$/ });
        // No user namespace.
        assert.throws(() => composefsFsmount(imageFd, 'x', [], 'disabled', { idmapFd: imageFd }, methods), {
          code: 'EINVAL',
          message: /^mount_setattr /,
        });
      });
      assert.deepEqual(resources(fixture), before);
    }
  });
});

test('a mount that is never attached leaves nothing behind', { skip }, () => {
  withFixture((fixture) => {
    const before = resources(fixture);
    for (const methods of [[layersByFd, layersByPath], [layersByPath]]) {
      closeSync(mountFixture(fixture, 'disabled', {}, methods));
    }
    assert.deepEqual(resources(fixture), before);
  });
});

test('an attachment that fails closes the mount', { skip }, () => {
  withFixture((fixture) => {
    const before = resources(fixture);
    const mountFd = mountFixture(fixture);
    assert.throws(() => attachAndClose(mountFd, join(fixture.directory, 'none')), { code: 'ENOENT' });
    assert.deepEqual(resources(fixture), before);
  });
});

test('owners in the image are mapped through a user namespace, those in the objects are not seen', {
  skip,
}, async (t) => {
  const namespace = await makeUserNamespace('0 100000 65536');
  if (namespace === undefined) {
    t.skip('cannot make a user namespace with unshare(1)');
    return;
  }
  try {
    withFixture((fixture) => {
      const mountFd = mountFixture(fixture, 'disabled', { idmapFd: namespace });
      withAttached(mountFd, fixture.mountPoint, () => {
        const { uid, gid } = lstatSync(join(fixture.mountPoint, 'external'));
        assert.deepEqual({ uid, gid }, { uid: 100000, gid: 100000 });
        assert.deepEqual(readFileSync(join(fixture.mountPoint, 'external')), fixture.content);
      });
    });
  } finally {
    closeSync(namespace);
  }
});

test('an image of a repository is mounted by name, at a path through a symlink', { skip }, () => {
  withFixture((fixture) => {
    const repository = {
      openObjectsDirectory: () => openSync(join(fixture.directory, 'objects'), 'r'),
      openImage: (name: string) => {
        assert.equal(name, 'refs/some-name');
        return { fd: openSync(fixture.image, 'r'), enableVerity: false };
      },
    };
    const link = join(fixture.directory, 'link');
    symlinkSync('mnt', link);
    const before = resources(fixture);
    mountImageAt(repository, 'refs/some-name', link);
    try {
      assert.deepEqual(readFileSync(join(fixture.mountPoint, 'external')), fixture.content);
      assert.equal(mountOf(fixture.mountPoint)?.source, 'composefs:refs/some-name');
    } finally {
      umount2(fixture.mountPoint, MNT_DETACH);
    }
    assert.deepEqual(resources(fixture), before);
    assert.throws(() => mountImageAt(repository, 'refs/some-name', fixture.image), {
      code: 'ENOTDIR',
      message: `${fixture.image} is not a directory`,
    });
    const elsewhere = { ...repository, openObjectsDirectory: () => openSync(join(fixture.directory, 'none'), 'r') };
    assert.throws(() => mountImage(elsewhere, 'refs/some-name'), { code: 'ENOENT' });
    assert.deepEqual(resources(fixture), before);
  });
});

test('what the kernel says about a refused option is part of the error', { skip }, () => {
  const context = fsopen('overlay');
  try {
    assert.throws(
      () => fsconfigString(context, 'no-such-option', 'x'),
      /^SystemError: fsconfig no-such-option: Invalid argument \(os error 22\): overlay: Unknown parameter 'no-such-option'$/,
    );
    assert.throws(() => fsconfigFd(context, 'lowerdir+', -1), { code: /^E(BADF|INVAL)$/ });
  } finally {
    closeSync(context);
  }
});

test('a file system that the kernel does not have is ENODEV', { skip }, () => {
  assert.throws(() => fsopen('nosuchfs'), { code: 'ENODEV', message: /^fsopen nosuchfs: / });
});

interface Fixture {
  readonly directory: string;
  readonly image: string;
  readonly objects: string;
  readonly object: string;
  readonly content: Buffer;
  readonly mountPoint: string;
}

/** A directory with `image`, `objects/` and an empty `mnt/`. */
function withFixture(action: (fixture: Fixture) => void): void {
  withTempDir((directory) => {
    const content = Buffer.alloc(70_000, 'composefs ');
    const id = computeVerity('sha256', content);
    const objects = join(directory, 'objects');
    const object = join(objects, objectPathname(id));
    mkdirSync(dirname(object), { recursive: true });
    writeFileSync(object, content);

    const root = new Directory(stat(0o755));
    const child = new Directory(stat(0o700));
    const file = (content: LeafContent): Leaf => new Leaf(stat(0o644), content);
    const inline = file({ type: 'regular', file: { storage: 'inline', data: Buffer.from('small') } });
    const external = file({ type: 'regular', file: { storage: 'external', id, size: content.length } });
    root.insert(byteStringFromText('inline'), inline);
    root.insert(byteStringFromText('external'), external);
    root.insert(byteStringFromText('dir'), child);
    child.insert(byteStringFromText('link'), file({ type: 'symlink', target: byteStringFromText('../external') }));
    const image = join(directory, 'image');
    writeFileSync(image, writeErofs(root, { version: 1, algorithm: 'sha256' }));

    const mountPoint = join(directory, 'mnt');
    mkdirSync(mountPoint);
    const environment: { TMPDIR?: string | undefined } = process.env;
    const { TMPDIR } = environment;
    // Temporary mounts appear where no other test is.
    environment.TMPDIR = directory;
    try {
      action({ directory, image, objects, object, content, mountPoint });
    } finally {
      if (TMPDIR === undefined) delete environment.TMPDIR;
      else environment.TMPDIR = TMPDIR;
    }
  });
}

function stat(mode: number): Stat {
  return { mode, uid: 0, gid: 0, mtimeSec: 1_700_000_000, mtimeNsec: 0, xattrs: NO_XATTRS };
}

function mountFixture(
  fixture: Fixture,
  verity: VerityRequirement = 'disabled',
  options: MountOptions = {},
  methods?: readonly LayerMethod[],
): number {
  const imageFd = openSync(fixture.image, 'r');
  const objectsFd = openSync(fixture.objects, O_PATH | constants.O_DIRECTORY);
  try {
    return composefsFsmount(imageFd, 'some-name', [objectsFd], verity, options, methods);
  } finally {
    closeSync(objectsFd);
    closeSync(imageFd);
  }
}

function withAttached(mountFd: number, mountPoint: string, action: () => void): void {
  try {
    mountAt(mountFd, AT_FDCWD, mountPoint);
  } finally {
    closeSync(mountFd);
  }
  try {
    action();
  } finally {
    umount2(mountPoint, MNT_DETACH);
  }
}

/** What must be as before after a mount failed: descriptors, attached mounts, temporary directories. */
function resources({ directory }: Fixture): unknown {
  return {
    fds: readdirSync('/proc/self/fd').length,
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(directory)),
    names: readdirSync(directory),
  };
}

/** A descriptor of a user namespace; undefined where that cannot be made. */
async function makeUserNamespace(map: string): Promise<number | undefined> {
  const child = spawn('unshare', ['--user', 'sleep', '60'], { stdio: 'ignore' });
  try {
    await once(child, 'spawn');
    const path = `/proc/${child.pid}/ns/user`;
    const own = readlinkSync('/proc/self/ns/user');
    if (!(await until(() => readlinkSync(path) !== own))) return undefined;
    writeFileSync(`/proc/${child.pid}/uid_map`, map);
    writeFileSync(`/proc/${child.pid}/gid_map`, map);
    return openSync(path, 'r');
  } catch {
    return undefined;
  } finally {
    child.kill();
  }
}

interface MountInfo {
  readonly mountOptions: string[];
  readonly fsType: string;
  readonly source: string;
  readonly superOptions: string[];
}

/** The topmost mount at `path`, of proc_pid_mountinfo(5). */
function mountOf(path: string): MountInfo | undefined {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').trimEnd().split('\n');
  const fields = lines.map((line) => line.split(' ')).findLast((line) => line[4] === path);
  if (fields === undefined) return undefined;
  const [fsType = '', source = '', superOptions = ''] = fields.slice(fields.indexOf('-') + 1);
  return { mountOptions: (fields[5] ?? '').split(','), fsType, source, superOptions: superOptions.split(',') };
}

function failure(message: string): never {
  throw new Error(message);
}
