import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { keepBootImage, releaseBootImages } from '../../../src/boot/write/image-refs.js';
import { type ByteString, byteStringFromText } from '../../../src/bytes/byte-string.js';
import type { ObjectId } from '../../../src/composefs/fsverity/object-id.js';
import { Repository } from '../../../src/composefs/repository/repository.js';
import { withTempDir } from '../../support/paths.js';
import { treeOf } from '../tree-support.js';
import { image, write } from './entry-support.js';

const ENTRY = byteStringFromText('loader/entries/os.conf');

function withRepository(action: (repo: Repository, boot: string, images: ObjectId[]) => Promise<void>): Promise<void> {
  return withTempDir(async (dir) => {
    const { repo } = await Repository.init(join(dir, 'repo'), { insecure: true, algorithm: 'sha256' });
    const boot = join(dir, 'boot');
    mkdirSync(boot);
    const images: ObjectId[] = [];
    for (const name of ['one', 'two', 'three']) images.push(await repo.commitImage(treeOf({ [name]: name })));
    try {
      await action(repo, boot, images);
    } finally {
      repo.close();
    }
  });
}

test('gc leaves the image of an entry, until the entry has another one', () =>
  withRepository(async (repo, _, [one, two, three]) => {
    assert(one !== undefined && two !== undefined && three !== undefined);
    const there = () => [one, two, three].map((id) => repo.hasImage(id));
    assert.equal(await keepBootImage(repo, ENTRY, one, () => 'result'), 'result');
    assert.deepEqual(repo.listImageRefs(), [['boot/os.conf', `../../${one}`]]);
    await keepBootImage(repo, byteStringFromText('EFI/Linux/os.efi'), two, () => undefined);
    await repo.gc();
    assert.deepEqual(there(), [true, true, false]);
    await keepBootImage(repo, ENTRY, two, () => undefined);
    await repo.gc();
    assert.deepEqual(there(), [false, true, false]);
  }));

test('while an entry is written, and when that fails, the old image is kept', () =>
  withRepository(async (repo, _, [one, two]) => {
    assert(one !== undefined && two !== undefined);
    await keepBootImage(repo, ENTRY, one, () => undefined);
    const during = () => {
      assert.deepEqual(repo.listImageRefs(), [
        ['boot/os.conf', `../../${one}`],
        ['boot/os.conf.new', `../../${two}`],
      ]);
      throw new Error('no room');
    };
    await assert.rejects(keepBootImage(repo, ENTRY, two, during), /no room/);
    assert.deepEqual(repo.listImageRefs(), [['boot/os.conf', `../../${one}`]]);
  }));

test('images of entries that are gone are released', () =>
  withRepository(async (repo, boot, [one, two]) => {
    assert(one !== undefined && two !== undefined);
    for (const [name, id] of [
      ['a', one],
      ['b', two],
    ] as const) {
      const entryId = name;
      await keepBootImage(repo, byteStringFromText(`loader/entries/${name}.conf`), id, () =>
        write(boot, name, image(name), { entryId }),
      );
    }
    assert.deepEqual(await releaseBootImages(repo, boot), []);
    rmSync(join(boot, 'loader/entries/a.conf'));
    assert.deepEqual(await releaseBootImages(repo, boot, { dryRun: true }), ['a.conf']);
    assert.equal(repo.listImageRefs().length, 2);
    assert.deepEqual(await releaseBootImages(repo, boot), ['a.conf']);
    await repo.gc();
    assert.deepEqual([repo.hasImage(one), repo.hasImage(two)], [false, true]);
  }));

test('any name of an entry makes a reference', () =>
  withRepository(async (repo, _, [one]) => {
    assert(one !== undefined);
    for (const name of ['a b.conf', '..conf', '\xfc.conf', '\xff\n.conf', '%41.conf']) {
      await keepBootImage(repo, `loader/entries/${name}` as ByteString, one, () => undefined);
    }
    assert.deepEqual(
      repo.listImageRefs('boot').map(([name]) => name),
      ['%2541.conf', '%2E.conf', '%FC.conf', '%FF%0A.conf', 'a%20b.conf'],
    );
    const long = `loader/entries/${'\xff'.repeat(250)}.conf` as ByteString;
    await keepBootImage(repo, long, one, () => undefined);
    assert.match(repo.listImageRefs('boot').at(-1)?.[0] ?? '', /^sha256-[0-9a-f]{64}$/);
  }));
