import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { objectPathname } from '../../src/composefs/fsverity/object-id.js';
import { mountFuse } from '../../src/fuse/index.js';
import { tempDir, treeOf } from '../composefs/repository/temp-repository.js';
import { cannotMount, withRepository } from './fuse-support.js';

test('a server shows nothing that lies behind a symlink', { skip: cannotMount }, async (t) => {
  const directory = tempDir(t);
  await withRepository(directory, async (repo, mountPoint) => {
    const content = Buffer.alloc(5000, 'secret');
    const id = repo.objects.ensureObject(content);
    const image = await repo.commitImage(treeOf({ id, size: content.length }));
    const outside = join(directory, 'outside');
    mkdirSync(outside);
    await mountFuse(repo, image, mountPoint, { passthrough: false });
    const file = join(mountPoint, 'file0');
    assert.deepEqual(readFileSync(file), content);
    const place = join(repo.path, 'objects', id.slice(0, 2));
    renameSync(place, join(outside, 'objects'));
    symlinkSync(join(outside, 'objects'), place);
    assert.equal(readFileSync(join(repo.path, 'objects', objectPathname(id))).length, content.length);
    assert.throws(() => readFileSync(file), { code: 'EIO' });
  });
});
