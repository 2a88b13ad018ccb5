import assert from 'node:assert/strict';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { transformForBoot, transformForBootFromDir } from '../../src/boot/transform.js';
import { computeImageId } from '../../src/composefs/repository/commit.js';
import { ComposefsError, fullMessage } from '../../src/errors.js';
import { transformForOci } from '../../src/oci/tree/transform.js';
import { linesOf } from '../support/dumpfiles.js';
import { withTempDir } from '../support/paths.js';
import { addPolicy, labelsOf, NO_OBJECTS, specs, treeOf } from '../support/selinux-trees.js';

const USR = '/usr 0 40755 2 0 0 0 1000.500000000 - - -';
const BOOT = '/boot 0 40755 2 0 0 0 2000.250000000 - - -';
const SYSROOT = '/sysroot 0 40755 2 0 0 0 3000.125000000 - - -';

/** Spec 50 §27.7. */
test('/boot and /sysroot get the mtime of /usr with its nanoseconds, and the ids are those of the reference', async () => {
  const root = treeOf([BOOT, SYSROOT, USR]);
  transformForOci(root);
  transformForBoot(root, NO_OBJECTS);
  assert.deepEqual(linesOf(root), [
    '/ 0 40755 5 0 0 0 1000.500000000 - - -',
    '/boot 0 40755 2 0 0 0 1000.500000000 - - -',
    '/sysroot 0 40755 2 0 0 0 1000.500000000 - - -',
    '/usr 0 40755 2 0 0 0 1000.500000000 - - -',
  ]);
  const ids = [
    await computeImageId(root, 1, 'sha256'),
    await computeImageId(root, 2, 'sha256'),
    await computeImageId(root, 1, 'sha512'),
  ];
  assert.deepEqual(ids, [
    '8451f8359cbd6d65f3e14096ba4df6b3ae88f2efc1f1598e6f1258f776135527',
    'fcfdc5d8922092a4af9c632078fcec55284501ae3b4d123e87a1914c7cac39ad',
    '450558224c832046529b3c413252df63218e45f19d74c24a224992aa08b8288528a8b5da660a0a3d2ff168032058fe41f4d44f716ee3e315bd5feb232b2b3a7b',
  ]);
});

test('what is in /boot and /sysroot goes, and their modes, owners and xattrs stay', () => {
  const root = treeOf([
    '/boot 0 40700 3 1 2 0 5.5 - - - security.selinux=l user.x=1',
    '/boot/kernel 1 100644 2 0 0 0 0.0 - x -',
    '/sysroot 0 41777 3 3 4 0 6.6 - - -',
    '/sysroot/ostree 0 40755 2 0 0 0 0.0 - - -',
    '/usr 0 40755 2 0 0 0 7.8 - - -',
    '/usr/kernel 0 @120000 - - - - 0.0 /boot/kernel - -',
  ]);
  transformForBoot(root, NO_OBJECTS);
  assert.deepEqual(linesOf(root).slice(1), [
    '/boot 0 40700 2 1 2 0 7.8 - - - user.x=1',
    '/sysroot 0 41777 2 3 4 0 7.8 - - -',
    '/usr 0 40755 2 0 0 0 7.8 - - -',
    '/usr/kernel 1 100644 1 0 0 0 0.0 - x -',
  ]);
});

test('an image without the directories that are to be mounted over has no boot image', () => {
  const cases: [lines: string[], message: string][] = [
    [[BOOT, SYSROOT], 'Directory entry "usr" does not exist'],
    [[SYSROOT, USR], 'Directory entry "boot" does not exist'],
    [[BOOT, USR], 'Directory entry "sysroot" does not exist'],
    [[BOOT, '/sysroot 1 120777 1 0 0 0 0.0 x - -', USR], 'Directory entry "sysroot" is not a subdirectory'],
    [[BOOT, SYSROOT, '/usr 1 100644 1 0 0 0 0.0 - x -'], 'Directory entry "usr" is not a subdirectory'],
  ];
  for (const [lines, message] of cases) {
    assert.throws(() => transformForBoot(treeOf(lines), NO_OBJECTS), { name: 'ImageError', message });
  }
});

const CONFIG = 'SELINUXTYPE=targeted\n';
const CONTEXTS = specs('/.* any', '/usr(/.*)? usr', '/boot boot');

/** A directory with a policy, which the test may change. */
function withDirectory(action: (path: string) => void): void {
  withTempDir((path) => {
    mkdirSync(join(path, 'etc/selinux/targeted/contexts/files'), { recursive: true });
    writeFileSync(join(path, 'etc/selinux/config'), CONFIG);
    writeFileSync(join(path, 'etc/selinux/targeted/contexts/files/file_contexts'), CONTEXTS);
    action(path);
  });
}

test('with the policy in a directory the tree is the same as with the policy in the tree', () => {
  withDirectory((path) => {
    const expected = addPolicy(treeOf([BOOT, SYSROOT, USR]), { file_contexts: CONTEXTS });
    const root = addPolicy(treeOf([BOOT, SYSROOT, USR]), { file_contexts: CONTEXTS });
    transformForBoot(expected, NO_OBJECTS);
    transformForBootFromDir(root, path);
    assert.deepEqual(linesOf(root), linesOf(expected));
    assert.equal(labelsOf(root)['/boot'], 'boot');
  });
});

test('symlinks in a directory lead to the policy, and never out of the directory', () => {
  withDirectory((path) => {
    withDirectory((outside) => {
      writeFileSync(join(outside, 'etc/selinux/targeted/contexts/files/file_contexts'), specs('/.* outside'));
      const labelOf = () => {
        const root = treeOf([BOOT, SYSROOT, USR]);
        transformForBootFromDir(root, path);
        return labelsOf(root)['/boot'];
      };
      const config = (type: string) => writeFileSync(join(path, 'etc/selinux/config'), `SELINUXTYPE=${type}`);
      symlinkSync('/etc/selinux/targeted', join(path, 'etc/selinux/absolute'));
      symlinkSync('../../../../../../etc/selinux/targeted', join(path, 'etc/selinux/up'));
      symlinkSync(join(outside, 'etc/selinux/targeted'), join(path, 'etc/selinux/out'));
      symlinkSync('loop', join(path, 'etc/selinux/loop'));
      for (const type of ['absolute', 'up', '../../../../../../etc/selinux/targeted']) {
        config(type);
        assert.equal(labelOf(), 'boot', type);
      }
      for (const type of ['out', join('../../..', outside, 'etc/selinux/targeted'), 'none']) {
        config(type);
        assert.throws(labelOf, (error) => {
          assert.match(fullMessage(error), /SELinux policy is missing mandatory file_contexts file$/);
          return true;
        });
      }
      config('loop');
      assert.throws(labelOf, { code: 'ELOOP' });
    });
  });
});

test('without a policy in the directory, the labels go', () => {
  withDirectory((path) => {
    for (const removed of ['etc/selinux/config', 'etc/selinux', 'etc']) {
      rmSync(join(path, removed), { recursive: true });
      const root = treeOf([`${BOOT} security.selinux=l`, SYSROOT, USR]);
      transformForBootFromDir(root, path);
      assert.equal(labelsOf(root)['/boot'], undefined);
    }
  });
});

test('a policy that is no file is an error in either form', () => {
  withDirectory((path) => {
    rmSync(join(path, 'etc/selinux/config'));
    mkdirSync(join(path, 'etc/selinux/config'));
    assert.throws(
      () => transformForBootFromDir(treeOf([BOOT, SYSROOT, USR]), path),
      (error) => {
        assert.ok(error instanceof ComposefsError);
        assert.equal(
          fullMessage(error),
          'Applying SELinux labels to filesystem from directory: Reading etc/selinux/config: /etc/selinux/config is not a regular file',
        );
        return error.code === 'NOT_A_FILE';
      },
    );
  });
  const root = treeOf([
    BOOT,
    SYSROOT,
    USR,
    '/etc 0 40755 2 0 0 0 0.0 - - -',
    '/etc/selinux 1 120777 1 0 0 0 0.0 x - -',
  ]);
  assert.throws(
    () => transformForBoot(root, NO_OBJECTS),
    (error) =>
      fullMessage(error) === 'Applying SELinux labels to filesystem: Directory entry "selinux" is not a subdirectory',
  );
});
