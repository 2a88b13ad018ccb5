import assert from 'node:assert/strict';
import {
  lutimesSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  formatGcResult,
  type GcResult,
  gcResultToWire,
  type Repository,
} from '../../../../src/composefs/repository/index.js';
import { ComposefsError, findCause, fullMessage } from '../../../../src/errors.js';
import { filesBelow } from '../../../support/files-below.js';
import { objectIds, tempRepository, writeStream } from '../temp-repository.js';
import { check, IN_THREAD, image, store } from './gc-support.js';

describe('gc', () => {
  it('keeps an image that a stream names, but not what the image needs', async (t) => {
    const repo = await tempRepository(t);
    const o2 = store.o2(repo);
    const id = await image(repo, [o2]);
    const stream = await writeStream(repo, 'config', { named: { 'composefs.image': id }, ref: 'tag' });
    await check(repo, {
      counts: [1, 0, 0],
      objects: [id, stream],
      links: [`images/${id}`, 'streams/config', 'streams/refs/tag'],
    });
  });

  it('follows cycles and long chains of streams', async (t) => {
    const repo = await tempRepository(t);
    let last = await writeStream(repo, 'chain0', { objects: [store.o1(repo)] });
    for (let i = 1; i < 60; i++) last = await writeStream(repo, `chain${i}`, { named: { next: last, self: last } });
    repo.nameStream('chain59', 'head');
    assert.equal((await repo.gc(IN_THREAD)).objectsRemoved, 0);
  });

  it('works in a worker thread', async (t) => {
    const repo = await tempRepository(t);
    store.o1(repo);
    await writeStream(repo, 'stream', { objects: [store.o2(repo)], ref: 'kept' });
    assert.deepEqual(await repo.gc({ dryRun: true }), {
      objectsRemoved: 1,
      objectsBytes: 32768,
      imagesPruned: 0,
      streamsPruned: 0,
    });
    assert.equal((await repo.gc()).objectsRemoved, 1);
  });

  it('reports errors of the worker with code, hint and causes', async (t) => {
    const repo = await tempRepository(t);
    await writeStream(repo, 'stream', { ref: 'kept' });
    repo.nameStream('gone', 'dangling');
    for (const options of [IN_THREAD, {}]) {
      await assert.rejects(repo.gc(options), (error) => {
        const found = findCause(error, ComposefsError);
        assert.equal(found?.code, 'DANGLING_REF');
        assert.match(fullMessage(error), /streams\/refs\/dangling names streams\/gone, which does not exist/);
        assert.match(found?.hint ?? '', /remove streams\/refs\/dangling/);
        return true;
      });
    }
    // The lock is shared again, and writing is possible.
    repo.objects.ensureObject(Buffer.from('still alive'));
    unlinkSync(join(repo.path, 'streams/refs/dangling'));
    assert.equal((await repo.gc(IN_THREAD)).objectsRemoved, 1);
  });

  it('removes links that are broken already and keeps empty directories of references', async (t) => {
    const repo = await tempRepository(t);
    const id = await writeStream(repo, 'broken');
    const gone = await image(repo, [store.o2(repo)]);
    mkdirSync(join(repo.path, 'images/refs/empty'), { recursive: true });
    symlinkSync('..', join(repo.path, 'images/refs/nowhere'));
    unlinkSync(repo.objects.path(id));
    unlinkSync(repo.objects.path(gone));
    const dry = await repo.gc({ ...IN_THREAD, dryRun: true });
    assert.deepEqual([dry.imagesPruned, dry.streamsPruned], [1, 1]);
    const result = await repo.gc(IN_THREAD);
    assert.deepEqual([result.imagesPruned, result.streamsPruned], [1, 1]);
    assert.deepEqual(filesBelow(join(repo.path, 'images')), ['refs/nowhere']);
    rmdirSync(join(repo.path, 'images/refs/empty'));
  });

  const unreadable: [string, (repo: Repository) => Promise<void> | void, RegExp][] = [
    [
      'a file among the entries',
      (repo) => {
        mkdirSync(join(repo.path, 'images'));
        writeFileSync(join(repo.path, 'images/file'), '');
      },
      /category directory contains non-symlink/,
    ],
    [
      'a directory among the entries',
      (repo) => {
        mkdirSync(join(repo.path, 'streams/dir'), { recursive: true });
      },
      /category directory contains non-symlink/,
    ],
    [
      'a file among the references',
      (repo) => {
        mkdirSync(join(repo.path, 'streams/refs/a'), { recursive: true });
        writeFileSync(join(repo.path, 'streams/refs/a/file'), '');
      },
      /Unexpected file type encountered/,
    ],
    [
      'an entry that does not link to an object',
      (repo) => {
        mkdirSync(join(repo.path, 'streams'));
        symlinkSync('../objects/zz/short', join(repo.path, 'streams/bad'));
      },
      /Parsing object ID from symlink streams\/bad/,
    ],
    [
      'a referenced stream that is none',
      (repo) => repo.registerStream(repo.objects.ensureObject(Buffer.from('junk')), 'stream', 'name'),
      /Opening stream 'stream'/,
    ],
    [
      'a referenced image that is none',
      async (repo) => {
        await repo.writeImage(Buffer.from('junk'), 'name');
      },
      /Collecting objects from erofs image data/,
    ],
  ];
  for (const [what, prepare, message] of unreadable) {
    it(`deletes nothing when there is ${what}`, async (t) => {
      const repo = await tempRepository(t);
      store.o1(repo);
      await prepare(repo);
      const before = filesBelow(repo.path);
      await assert.rejects(repo.gc(IN_THREAD), (error) => message.test(fullMessage(error)));
      assert.deepEqual(filesBelow(repo.path), before);
    });
  }

  it('says what to do about an image or a stream that cannot be read', async (t) => {
    const repo = await tempRepository(t);
    const id = await repo.writeImage(Buffer.from('junk'), 'one');
    symlinkSync(`../${id}`, join(repo.path, 'images/refs/two'));
    await assert.rejects(repo.gc(IN_THREAD), {
      code: 'INVALID_IMAGE',
      message: 'Finding out what is still needed',
      hint: `store the image again, or remove images/refs/one and images/refs/two and images/${id}, and collect then`,
    });
    for (const name of ['refs/one', 'refs/two', id]) unlinkSync(join(repo.path, 'images', name));
    repo.registerStream(repo.objects.ensureObject(Buffer.from('junk')), 'stream', 'name');
    await assert.rejects(repo.gc(IN_THREAD), {
      message: 'Finding out what is still needed',
      hint: 'pull the image again, which stores it anew, or remove its tag, and collect then: `cfsctl oci fsck` names the images',
    });
  });

  it('goes on where the object of a referenced stream or image is gone, and leaves the reference', async (t) => {
    const repo = await tempRepository(t);
    const o2 = store.o2(repo);
    await writeStream(repo, 'kept', { objects: [o2], ref: 'good' });
    const stream = await writeStream(repo, 'stream', { objects: [store.o1(repo)], ref: 'a/name' });
    const gone = await image(repo, [o2], 'picture');
    for (const id of [stream, gone]) unlinkSync(repo.objects.path(id));
    const danglingRefs = ['images/refs/picture', 'streams/refs/a/name'];
    const expected = { objectsRemoved: 1, objectsBytes: 32768, imagesPruned: 0, streamsPruned: 0, danglingRefs };
    assert.deepEqual(await repo.gc({ ...IN_THREAD, dryRun: true }), expected);
    assert.deepEqual(await repo.gc(IN_THREAD), expected);
    assert.deepEqual(await repo.gc(), { ...expected, objectsRemoved: 0, objectsBytes: 0 });
    assert.deepEqual(filesBelow(join(repo.path, 'images')), [gone, 'refs/picture']);
    assert.deepEqual(filesBelow(join(repo.path, 'streams')), ['kept', 'refs/a/name', 'refs/good', 'stream']);
    // What is stored again is kept by the reference that waited for it.
    await writeStream(repo, 'stream', { objects: [store.o1(repo)] });
    assert.deepEqual((await repo.gc(IN_THREAD)).danglingRefs, ['images/refs/picture']);
    assert.ok(repo.objects.has(store.o1(repo)));
  });

  it('follows the streams that a stream names by their ids, whether or not they have an entry', async (t) => {
    const repo = await tempRepository(t);
    const [o1, o2] = [store.o1(repo), store.o2(repo)];
    const old = await writeStream(repo, 'config', { objects: [o1] });
    const root = await writeStream(repo, 'manifest', { named: { config: old, data: o2 }, ref: 'tag' });
    const current = await writeStream(repo, 'config', { objects: [o2] });
    const result = await repo.gc(IN_THREAD);
    assert.deepEqual([result.objectsRemoved, result.streamsPruned], [1, 1]);
    assert.deepEqual(objectIds(repo), [o1, o2, old, root].sort());
    assert.ok(!repo.objects.has(current));
  });

  it('removes the links to dead objects before the first object', async (t) => {
    const repo = await tempRepository(t);
    await writeStream(repo, 'dead', { objects: [store.o1(repo)] });
    await image(repo, [store.o2(repo)]);
    // Found when the objects are swept: everything after that is not done.
    mkdirSync(join(repo.path, 'objects/00'), { recursive: true });
    writeFileSync(join(repo.path, 'objects/00/not-an-object'), '');
    const before = objectIds(repo);
    await assert.rejects(repo.gc(IN_THREAD), /Sweeping objects/);
    assert.deepEqual(filesBelow(join(repo.path, 'streams')), []);
    assert.deepEqual(filesBelow(join(repo.path, 'images')), []);
    assert.deepEqual(objectIds(repo).length, before.length);
  });

  it('stops at something that is no object', async (t) => {
    const repo = await tempRepository(t);
    mkdirSync(join(repo.objectsDir(), 'ab'));
    writeFileSync(join(repo.path, 'objects/ab/not-an-object'), '');
    await assert.rejects(repo.gc(IN_THREAD), (error) =>
      /Parsing object ID from directory entry/.test(fullMessage(error)),
    );
    unlinkSync(join(repo.path, 'objects/ab/not-an-object'));
    // Upper-case hex is judged by the id that it denotes.
    const upper = 'CD'.repeat(63);
    writeFileSync(join(repo.path, 'objects/ab', upper), 'x');
    assert.equal((await repo.gc(IN_THREAD)).objectsRemoved, 1);
    assert.deepEqual(readdirSync(join(repo.path, 'objects')), ['ab']);
  });

  it('removes temporary files that are older than an hour', async (t) => {
    const repo = await tempRepository(t);
    const twoHoursAgo = Date.now() / 1000 - 7200;
    repo.objectsDir();
    for (const [name, old] of [
      ['objects/.tmp-object-AAAAAAAAAAAA', true],
      ['objects/.tmp-object-BBBBBBBBBBBB', false],
      ['objects/unrelated', true],
      ['.tmp-meta-AAAAAAAAAAAA', true],
    ] as const) {
      writeFileSync(join(repo.path, name), 'x');
      if (old) utimesSync(join(repo.path, name), twoHoursAgo, twoHoursAgo);
    }
    for (const name of ['.symlink-AAAAAAAAAAAA', '.symlink-BBBBBBBBBBBB'])
      symlinkSync('nowhere', join(repo.path, name));
    lutimesSync(join(repo.path, '.symlink-AAAAAAAAAAAA'), twoHoursAgo, twoHoursAgo);
    const before = filesBelow(repo.path);
    const announced = await repo.gc({ ...IN_THREAD, dryRun: true });
    assert.deepEqual(filesBelow(repo.path), before);
    const result = await repo.gc(IN_THREAD);
    assert.deepEqual(result, announced);
    assert.equal(result.objectsRemoved, 0);
    assert.equal(result.leftovers?.count, 3);
    assert.deepEqual(filesBelow(repo.path), [
      '.symlink-BBBBBBBBBBBB',
      'meta.json',
      'objects/.tmp-object-BBBBBBBBBBBB',
      'objects/unrelated',
    ]);
  });

  it('reports itself to people and over the wire', () => {
    const result: GcResult = {
      objectsRemoved: 3,
      objectsBytes: 99,
      imagesPruned: 0,
      streamsPruned: 1,
    };
    assert.equal(
      formatGcResult(result, false),
      'Objects: 3 removed (99 bytes)\nPruned symlinks: 0 images, 1 streams\n',
    );
    assert.equal(
      formatGcResult({ ...result, streamsPruned: 0 }, true),
      'Dry run (no files deleted):\nObjects: 3 removed (99 bytes)\n',
    );
    assert.equal(
      formatGcResult({ ...result, streamsPruned: 0, leftovers: { count: 2, bytes: 7 } }, false),
      'Objects: 3 removed (99 bytes)\nLeftovers: 2 removed (7 bytes)\n',
    );
    assert.equal(
      JSON.stringify(gcResultToWire(result)),
      '{"objects_removed":3,"objects_bytes":99,"images_pruned":0,"streams_pruned":1}',
    );
  });
});
