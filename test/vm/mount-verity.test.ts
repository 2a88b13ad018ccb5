import assert from 'node:assert/strict';
import { closeSync, constants, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { byteStringFromText } from '../../src/bytes/byte-string.js';
import { writeErofs } from '../../src/composefs/erofs/index.js';
import { HASH_ALGORITHMS, type HashAlgorithm } from '../../src/composefs/fsverity/algorithm.js';
import { computeVerity } from '../../src/composefs/fsverity/digest.js';
import { enableVerityRaw } from '../../src/composefs/fsverity/kernel.js';
import { objectPathname } from '../../src/composefs/fsverity/object-id.js';
import { attachAndClose } from '../../src/composefs/mount/attach.js';
import { composefsFsmount } from '../../src/composefs/mount/composefs-mount.js';
import type { VerityRequirement } from '../../src/composefs/mount/options.js';
import { Directory, Leaf } from '../../src/composefs/tree/inode.js';
import { NO_XATTRS, type Stat } from '../../src/composefs/tree/stat.js';
import { O_PATH } from '../../src/linux/constants.js';
import { MNT_DETACH, umount2 } from '../../src/linux/mount-api.js';
import { withTempDir } from '../support/paths.js';

/** A directory on a file system with fs-verity, on a kernel whose overlayfs has `verity=`; as root. */
const { COMPOSEFS_TEST_VERITY_DIR: verityDirectory = '' } = process.env;
const skip = verityDirectory === '' ? 'COMPOSEFS_TEST_VERITY_DIR names no directory with fs-verity' : false;

const STAT: Stat = { mode: 0o755, uid: 0, gid: 0, mtimeSec: 0, mtimeNsec: 0, xattrs: NO_XATTRS };

for (const algorithm of HASH_ALGORITHMS) {
  // Overlayfs takes a digest in the metacopy xattr of any algorithm that the kernel's fs-verity has.
  test(`${algorithm}: required verity serves the right file only`, { skip }, () => {
    withRepository(algorithm, (repository) => {
      mounted(repository, 'required', () => {
        assert.deepEqual(repository.read('good'), repository.content.good);
        assert.throws(() => repository.read('bare'), { code: 'EIO' });
        assert.throws(() => repository.read('wrong'), { code: 'EIO' });
      });
      mounted(repository, 'try', () => {
        assert.deepEqual(repository.read('good'), repository.content.good);
        assert.throws(() => repository.read('wrong'), { code: 'EIO' });
      });
      mounted(repository, 'disabled', () => {
        assert.deepEqual(repository.read('bare'), repository.content.bare);
      });
    });
  });
}

interface TestRepository {
  readonly image: string;
  readonly objects: string;
  readonly mountPoint: string;
  readonly content: Readonly<Record<'good' | 'bare' | 'wrong', Buffer>>;
  read(name: string): Buffer;
}

/** Three files: `good` has fs-verity, `bare` has none, `wrong` has that of other content. */
function withRepository(algorithm: HashAlgorithm, action: (repository: TestRepository) => void): void {
  withTempDir((directory) => {
    const content = { good: Buffer.alloc(5000, 1), bare: Buffer.alloc(5000, 2), wrong: Buffer.alloc(5000, 3) };
    const objects = join(directory, 'objects');
    const root = new Directory(STAT);
    for (const [name, data] of Object.entries(content)) {
      const id = computeVerity(algorithm, data);
      const path = join(objects, objectPathname(id));
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, name === 'wrong' ? Buffer.alloc(5000, 4) : data);
      if (name !== 'bare') {
        const fd = openSync(path, 'r');
        enableVerityRaw(fd, algorithm);
        closeSync(fd);
      }
      const file = { storage: 'external', id, size: data.length } as const;
      root.insert(byteStringFromText(name), new Leaf(STAT, { type: 'regular', file }));
    }
    const image = join(directory, 'image');
    writeFileSync(image, writeErofs(root, { version: 1, algorithm }));
    const mountPoint = join(directory, 'mnt');
    mkdirSync(mountPoint);
    action({ image, objects, mountPoint, content, read: (name) => readFileSync(join(mountPoint, name)) });
  }, verityDirectory);
}

function mounted(repository: TestRepository, verity: VerityRequirement, action: () => void): void {
  const imageFd = openSync(repository.image, 'r');
  const objectsFd = openSync(repository.objects, O_PATH | constants.O_DIRECTORY);
  let mountFd: number;
  try {
    mountFd = composefsFsmount(imageFd, 'verity-test', [objectsFd], verity);
  } finally {
    closeSync(objectsFd);
    closeSync(imageFd);
  }
  attachAndClose(mountFd, repository.mountPoint);
  try {
    action();
  } finally {
    umount2(repository.mountPoint, MNT_DETACH);
  }
}
