import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readlinkSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { ObjectId } from '../../../../src/composefs/fsverity/object-id.js';
import { objectPathname } from '../../../../src/composefs/fsverity/object-id.js';
import {
  checkRepository,
  type FsckError,
  type FsckResult,
  formatFsckError,
  formatFsckResult,
  fsckResultToWire,
  isFsckOk,
  type Repository,
} from '../../../../src/composefs/repository/index.js';
import { RecordingReporter } from '../../../../src/progress.js';
import { filesBelow } from '../../../support/files-below.js';
import { tempRepository, testData, treeOf, writeStream } from '../temp-repository.js';

/** Checks that nothing changes. In this thread: workers take a while to start. */
async function fsck(repo: Repository): Promise<FsckResult> {
  const before = filesBelow(repo.path);
  const result = await repo.fsck({ threads: 0 });
  assert.deepEqual(checkRepository(repo, { metadataOnly: false }), result);
  assert.deepEqual(filesBelow(repo.path), before);
  return result;
}

function find<Type extends FsckError['type']>(result: FsckResult, type: Type): Extract<FsckError, { type: Type }> {
  const found = result.errors.find((error) => error.type === type);
  assert.ok(found !== undefined, `${type} in ${JSON.stringify(result.errors)}`);
  return found as Extract<FsckError, { type: Type }>;
}

/** An object, a stream with an object, and an image with an object. */
async function healthy(t: TestContext): Promise<{
  repo: Repository;
  object: ObjectId;
  needed: ObjectId;
  stream: ObjectId;
  image: ObjectId;
}> {
  const repo = await tempRepository(t);
  const object = repo.objects.ensureObject(testData(1000, 1));
  const needed = repo.objects.ensureObject(testData(2000, 2));
  const stream = await writeStream(repo, 'test-stream', { objects: [needed], ref: 'a/ref' });
  const image = await repo.commitImage(treeOf({ id: needed, size: 2000 }), 'name');
  return { repo, object, needed, stream, image };
}

/** Puts other bytes in the place of an object. */
function overwrite(repo: Repository, id: ObjectId, content: string): void {
  unlinkSync(repo.objects.path(id));
  writeFileSync(repo.objects.path(id), content);
}

describe('fsck vectors', () => {
  it('a fresh repository is fine', async (t) => {
    const repo = await tempRepository(t);
    const result = await fsck(repo);
    assert.deepEqual(result, {
      hasMetadata: true,
      objectsChecked: 0,
      objectsCorrupted: 0,
      streamsChecked: 0,
      streamsCorrupted: 0,
      imagesChecked: 0,
      imagesCorrupted: 0,
      brokenLinks: 0,
      missingObjects: 0,
      errors: [],
    });
    assert.equal(isFsckOk(result), true);
    assert.equal(
      formatFsckResult(result),
      'meta.json: ok\nobjects: 0/0 ok\nstreams: 0/0 ok\nimages: 0/0 ok\nstatus: ok\n',
    );
  });

  it('a healthy repository is fine', async (t) => {
    const { repo } = await healthy(t);
    const result = await fsck(repo);
    assert.deepEqual(result.errors, []);
    assert.deepEqual([result.objectsChecked, result.streamsChecked, result.imagesChecked], [4, 1, 1]);
  });

  it('replaced content of an object is found', async (t) => {
    const { repo, object } = await healthy(t);
    overwrite(repo, object, 'CORRUPTED');
    const result = await fsck(repo);
    assert.deepEqual(await repo.fsck({ threads: 2 }), result);
    assert.equal(result.objectsCorrupted, 1);
    const error = find(result, 'object-digest-mismatch');
    assert.equal(error.path, `objects/${objectPathname(object)}`);
    assert.match(error.measured, /^[0-9a-f]{128}$/);
    assert.equal(formatFsckError(error), `fsck: object-digest-mismatch: ${error.path}: measured ${error.measured}`);
  });

  it('a deleted stream object is found', async (t) => {
    const { repo, stream } = await healthy(t);
    unlinkSync(repo.objects.path(stream));
    const result = await fsck(repo);
    // The entry and the reference to it.
    assert.deepEqual([result.brokenLinks, result.streamsCorrupted], [2, 1]);
    assert.deepEqual(result.errors, [
      { type: 'broken-symlink', path: 'streams/test-stream' },
      { type: 'broken-symlink', path: 'streams/refs/a/ref' },
    ]);
  });

  it('a deleted object of a stream and an image is found', async (t) => {
    const { repo, needed, image } = await healthy(t);
    unlinkSync(repo.objects.path(needed));
    const result = await fsck(repo);
    assert.deepEqual(result.errors, [
      { type: 'missing-object-ref', path: 'streams/test-stream', objectId: needed },
      { type: 'image-missing-object', path: `images/${image}`, objectId: needed },
    ]);
    assert.equal(result.missingObjects, 2);
    assert.deepEqual([result.streamsCorrupted, result.imagesCorrupted], [0, 0]);
    assert.ok(
      formatFsckResult(result).includes('\nmissing objects: 2\nstatus: 2 error(s)\n  - fsck: missing-object-ref: '),
    );
  });

  it('files among the entries are found', async (t) => {
    const { repo } = await healthy(t);
    writeFileSync(join(repo.path, 'streams/bogus-entry'), '');
    mkdirSync(join(repo.path, 'streams/directory'));
    writeFileSync(join(repo.path, 'images/bogus-image'), '');
    const result = await fsck(repo);
    assert.deepEqual(result.errors, [
      { type: 'entry-not-symlink', path: 'streams/bogus-entry' },
      { type: 'entry-not-symlink', path: 'streams/directory' },
      { type: 'entry-not-symlink', path: 'images/bogus-image' },
    ]);
    assert.deepEqual([result.streamsChecked, result.streamsCorrupted, result.imagesCorrupted], [3, 2, 1]);
  });

  it('broken references and what is no reference are found', async (t) => {
    const { repo } = await healthy(t);
    const refs = join(repo.path, 'streams/refs');
    symlinkSync('../nonexistent-stream', join(refs, 'broken-ref'));
    writeFileSync(join(refs, 'file'), '');
    execFileSync('mkfifo', [join(refs, 'pipe')]);
    mkdirSync(join(refs, 'nested/deep'), { recursive: true });
    symlinkSync('../../../nothing', join(refs, 'nested/deep/dangling'));
    symlinkSync('loop', join(refs, 'loop'));
    const result = await fsck(repo);
    assert.deepEqual(
      result.errors,
      [
        { type: 'broken-symlink', path: 'streams/refs/broken-ref' },
        { type: 'unexpected-file-type', path: 'streams/refs/file', detail: 'RegularFile' },
        { type: 'stat-failed', path: 'streams/refs/loop', detail: find(result, 'stat-failed').detail },
        { type: 'broken-symlink', path: 'streams/refs/nested/deep/dangling' },
        { type: 'unexpected-file-type', path: 'streams/refs/pipe', detail: 'Fifo' },
      ].sort((a, b) => (a.path < b.path ? -1 : 1)),
    );
    assert.equal(result.brokenLinks, 2);
    assert.equal(result.streamsCorrupted, 0);
  });

  it('names that are no object names are found', async (t) => {
    const { repo } = await healthy(t);
    mkdirSync(join(repo.path, 'objects/ab'), { recursive: true });
    writeFileSync(join(repo.path, 'objects/ab/not-a-valid-hex-hash'), '');
    writeFileSync(Buffer.concat([Buffer.from(join(repo.path, 'objects/ab/')), Buffer.alloc(126, 0xff)]), '');
    const result = await fsck(repo);
    assert.equal(result.objectsCorrupted, 2);
    assert.deepEqual(result.errors[0], {
      type: 'object-invalid-name',
      path: 'objects/ab/not-a-valid-hex-hash',
      detail: 'Invalid string length',
    });
    assert.match(formatFsckError(find({ ...result, errors: result.errors.slice(1) }, 'object-invalid-name')), /\ufffd/);
  });

  it('a deleted image object is found', async (t) => {
    const { repo, image } = await healthy(t);
    unlinkSync(repo.objects.path(image));
    const result = await fsck(repo);
    assert.deepEqual([result.brokenLinks, result.imagesCorrupted], [2, 1]);
  });

  it('a removed entry behind a reference is found', async (t) => {
    const { repo, image } = await healthy(t);
    unlinkSync(join(repo.path, 'images', image));
    const result = await fsck(repo);
    assert.deepEqual(result.errors, [{ type: 'broken-symlink', path: 'images/refs/name' }]);
    assert.ok(formatFsckResult(result).includes('\nbroken symlinks: 1\n'));
  });

  it('a deleted stream that another one names is found', async (t) => {
    const repo = await tempRepository(t);
    const named = await writeStream(repo, 'test-stream1', { objects: [repo.objects.ensureObject(testData(10, 1))] });
    await writeStream(repo, 'test-stream2', { named: { 'test-stream1': named } });
    assert.deepEqual((await fsck(repo)).errors, []);
    unlinkSync(join(repo.path, 'streams/test-stream1'));
    // Its object is there: it needs no name.
    assert.deepEqual((await fsck(repo)).errors, []);
    unlinkSync(repo.objects.path(named));
    const result = await fsck(repo);
    assert.equal(result.missingObjects, 1);
    assert.equal(
      result.errors.map(formatFsckError).join('\n'),
      `fsck: missing-named-ref: streams/test-stream2: ref test-stream1: ${named}`,
    );
  });

  it('junk in the place of a splitstream is found', async (t) => {
    const { repo, stream } = await healthy(t);
    overwrite(repo, stream, 'junk');
    const result = await fsck(repo);
    assert.deepEqual([result.objectsCorrupted, result.streamsCorrupted], [1, 1]);
    assert.match(find(result, 'stream-open-failed').detail, /^Opening stream 'test-stream'/);
  });

  for (const version of [0, 1, 2] as const) {
    it(`a healthy V${version} image is fine, and a missing object or junk is found`, async (t) => {
      const repo = await tempRepository(t, { erofsFormats: { default: version, extra: [] } });
      const id = repo.objects.ensureObject(testData(2000, 2));
      const image = await repo.commitImage(treeOf({ id, size: 2000 }));
      const good = await fsck(repo);
      assert.deepEqual([good.errors.length, good.imagesChecked], [0, 1]);
      unlinkSync(repo.objects.path(id));
      const missing = await fsck(repo);
      assert.deepEqual(missing.errors, [{ type: 'image-missing-object', path: `images/${image}`, objectId: id }]);
      assert.equal(missing.missingObjects, 1);
      overwrite(repo, image, 'junk');
      const junk = await fsck(repo);
      assert.equal(find(junk, 'image-invalid').path, `images/${image}`);
      assert.equal(find(junk, 'object-digest-mismatch').path, `objects/${objectPathname(image)}`);
      assert.equal(junk.imagesCorrupted, 1);
    });
  }

  it('a broken meta.json is found', async (t) => {
    const repo = await tempRepository(t);
    writeFileSync(join(repo.path, 'meta.json'), 'not valid json {{');
    const result = await fsck(repo);
    assert.equal(result.hasMetadata, false);
    assert.match(find(result, 'metadata-parse-failed').detail, /^failed to parse meta\.json: ./);
    assert.ok(formatFsckResult(result).startsWith('meta.json: error\n'));
    unlinkSync(join(repo.path, 'meta.json'));
    assert.equal(
      find(await fsck(repo), 'metadata-parse-failed').detail,
      'meta.json not found; expected because repository was opened successfully',
    );
  });

  it('a meta.json that does not fit the open repository is found', async (t) => {
    const repo = await tempRepository(t);
    for (const text of [
      '{"version":1,"algorithm":"fsverity-sha256-12"}',
      '{"version":2,"algorithm":"fsverity-sha512-12"}',
      '{"version":1,"algorithm":"fsverity-sha512-12","features":{"incompatible":["x"]}}',
    ]) {
      writeFileSync(join(repo.path, 'meta.json'), text);
      const result = await fsck(repo);
      assert.equal(result.hasMetadata, true);
      const { algorithm } = JSON.parse(text);
      assert.deepEqual(result.errors, [{ type: 'metadata-algorithm-mismatch', expected: algorithm, actual: 'sha512' }]);
      assert.ok(formatFsckResult(result).includes(`expected ${algorithm}, repository opened as sha512\n`));
    }
  });

  it('objects are left out on demand', async (t) => {
    const { repo, object } = await healthy(t);
    overwrite(repo, object, 'junk');
    for (const threads of [0, 1]) {
      const result = await repo.fsck({ threads, metadataOnly: true });
      assert.deepEqual(result.errors, []);
      assert.deepEqual([result.objectsChecked, result.streamsChecked, result.imagesChecked], [0, 1, 1]);
    }
  });
});

describe('fsck', () => {
  it('gets over objects that are no files', async (t) => {
    const repo = await tempRepository(t);
    mkdirSync(join(repo.path, 'objects/ab'), { recursive: true });
    mkdirSync(join(repo.path, 'objects/ab', '0'.repeat(126)));
    execFileSync('mkfifo', [join(repo.path, 'objects/ab', '1'.repeat(126))]);
    symlinkSync('nowhere', join(repo.path, 'objects/ab', '2'.repeat(126)));
    const result = await fsck(repo);
    assert.deepEqual(
      result.errors.map((error) => error.type),
      ['object-open-failed', 'object-open-failed', 'object-open-failed'],
    );
    assert.deepEqual([result.objectsChecked, result.objectsCorrupted], [3, 3]);
  });

  it('does not take what it cannot read for missing', async (t) => {
    if (process.getuid?.() === 0) return t.skip('root reads everything');
    const { repo, needed } = await healthy(t);
    chmodSync(repo.objects.path(needed), 0);
    assert.equal(find(await fsck(repo), 'object-check-failed').objectId, needed);
  });

  it('writes its fields in the documented order', async (t) => {
    const { repo, stream } = await healthy(t);
    const result = await fsck(repo);
    const fields =
      '"objectsChecked":4,"objectsCorrupted":0,"streamsChecked":1,"streamsCorrupted":0,"imagesChecked":1,"imagesCorrupted":0,"brokenLinks":0,"missingObjects":0,"errors":[]';
    assert.equal(JSON.stringify(result), `{"hasMetadata":true,${fields}}`);
    const wire = fields.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    assert.equal(JSON.stringify(fsckResultToWire(result)), `{"ok":true,"has_metadata":true,${wire}}`);
    unlinkSync(repo.objects.path(stream));
    assert.equal(readlinkSync(join(repo.path, 'streams/test-stream')).length > 0, true);
    const broken = fsckResultToWire(await fsck(repo));
    assert.equal(broken.ok, false);
    assert.deepEqual(broken.errors, [
      'fsck: broken-symlink: streams/test-stream',
      'fsck: broken-symlink: streams/refs/a/ref',
    ]);
  });

  it('reports progress and can be aborted', async (t) => {
    const { repo } = await healthy(t);
    for (const how of [{ threads: 2 }, { threads: 2, ownThread: true }, { threads: 0 }]) {
      const progress = new RecordingReporter();
      await repo.fsck({ ...how, progress });
      const [started, ...others] = progress.events;
      assert.deepEqual(started, { type: 'started', id: repo.path, total: 257, unit: 'items' });
      assert.deepEqual(others.pop(), { type: 'done', id: repo.path, transferred: 257 });
      let before = 0;
      for (const event of others) {
        assert.ok(event.type === 'progress' && event.total === 257 && event.fetched >= before, JSON.stringify(event));
        before = event.fetched;
      }
    }
    const reason = new Error('enough');
    await assert.rejects(repo.fsck({ signal: AbortSignal.abort(reason) }), reason);
    for (const ownThread of [false, true]) {
      const controller = new AbortController();
      const running = repo.fsck({ ownThread, signal: controller.signal });
      controller.abort(reason);
      await assert.rejects(running, reason);
    }
  });
});
