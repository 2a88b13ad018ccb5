import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mountImageAt } from '../../src/composefs/mount/index.js';
import { unmountImage } from '../../src/composefs/mount/unmount.js';
import { mountFuse } from '../../src/fuse/index.js';
import { pull } from '../../src/oci/import/pull.js';
import { OciImage } from '../../src/oci/store/image.js';
import { withTempDir } from '../support/paths.js';
import { realImages } from '../support/programs.js';
import { cannotMount, hasEnded, snapshot, withRepository } from './fuse-support.js';

const images = realImages();

for (const { name, path } of images) {
  test(`the FUSE mounts of ${name} are the kernel mount's tree`, { skip: cannotMount }, () =>
    withTempDir((temporary) =>
      withRepository(temporary, async (repo, mountPoint) => {
        await pull(repo, `oci:${path}:zstd`, name);
        const image = OciImage.openRef(repo, name).imageRef(repo.erofsVersion) ?? assert.fail('no image');
        mountImageAt(repo, image, mountPoint);
        const expected = snapshot(mountPoint);
        unmountImage(mountPoint);
        for (const options of [{}, { passthrough: false, verify: true }, { mode: 'overlay' }] as const) {
          const { pid } = await mountFuse(repo, image, mountPoint, options);
          assert.deepEqual(snapshot(mountPoint), expected, JSON.stringify(options));
          unmountImage(mountPoint);
          assert(await hasEnded(pid));
        }
      }),
    ),
  );
}

if (images.length === 0)
  test('FUSE mounts of real images', { skip: 'COMPOSEFS_TEST_IMAGES names no images' }, () => {});
