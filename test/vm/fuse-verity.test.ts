import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { objectPathname } from '../../src/composefs/fsverity/object-id.js';
import { unmountImage } from '../../src/composefs/mount/unmount.js';
import { Repository } from '../../src/composefs/repository/index.js';
import { type FuseMountOptions, mountFuse } from '../../src/fuse/index.js';
import { directory, inline, leaf } from '../composefs/erofs/support.js';
import { cannotMount, clearMounts } from '../fuse/fuse-support.js';

/** A directory on a file system with fs-verity; as root. */
const { COMPOSEFS_TEST_VERITY_DIR: verityDirectory = '' } = process.env;
const skip = cannotMount || (verityDirectory === '' ? 'COMPOSEFS_TEST_VERITY_DIR names no directory' : false);

const MODES: FuseMountOptions[] = [{}, { passthrough: false }, { mode: 'overlay' }];
const SIZES = { small: 5000, large: 3_000_000 };

test('a secure repository is checked without being asked, and what was replaced is EIO', { skip }, async () => {
  const temporary = mkdtempSync(join(verityDirectory, 'fuse-'));
  const mountPoint = join(temporary, 'mount');
  mkdirSync(mountPoint);
  const { repo } = await Repository.init(join(temporary, 'repo'), { algorithm: 'sha256' });
  try {
    assert(!repo.insecure);
    const entries = Object.entries(SIZES).flatMap(([name, size]) =>
      ['good', 'replaced'].map((kind) => {
        const id = repo.objects.ensureObject(Buffer.alloc(size, kind));
        const file = leaf({ type: 'regular', file: { storage: 'external', id, size } });
        return { name: `${kind}-${name}`, file, id, size };
      }),
    );
    const image = await repo.commitImage(
      directory({ inline: leaf(inline('i')), ...Object.fromEntries(entries.map(({ name, file }) => [name, file])) }),
    );
    for (const { name, id, size } of entries) {
      if (!name.startsWith('replaced')) continue;
      const path = join(repo.path, 'objects', objectPathname(id));
      rmSync(path);
      writeFileSync(path, Buffer.alloc(size, 'other'));
    }
    for (const options of MODES) {
      await mountFuse(repo, image, mountPoint, options);
      for (const { name, size } of entries) {
        const read = (): Buffer => readFileSync(join(mountPoint, name));
        if (name.startsWith('good')) assert(read().equals(Buffer.alloc(size, 'good')), name);
        else assert.throws(read, { code: 'EIO' }, `${name} ${JSON.stringify(options)}`);
      }
      assert.equal(readFileSync(join(mountPoint, 'inline'), 'utf8'), 'i');
      unmountImage(mountPoint);
    }
  } finally {
    clearMounts(mountPoint);
    repo.close();
    rmSync(temporary, { recursive: true });
  }
});
