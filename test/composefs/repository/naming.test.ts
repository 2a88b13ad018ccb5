import assert from 'node:assert/strict';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type ObjectId, objectPathname } from '../../../src/composefs/fsverity/object-id.js';
import { computeImageId, ImageNotFoundError, type Repository } from '../../../src/composefs/repository/index.js';
import { findCause, fullMessage } from '../../../src/errors.js';
import { filesBelow } from '../../support/files-below.js';
import { CONTENT_TYPE, tempRepository, testData, treeOf, writeStream } from './temp-repository.js';

function linkText(repo: Repository, name: string): string {
  return readlinkSync(join(repo.path, name));
}

describe('streams', () => {
  it('are links to their object, references links to them', async (t) => {
    const repo = await tempRepository(t);
    const object = repo.objects.ensureObject(testData(100, 1));
    const id = await writeStream(repo, 'a-stream:x@y%', { objects: [object], ref: 'oci/img:tag' });
    assert.equal(linkText(repo, 'streams/a-stream:x@y%'), `../objects/${objectPathname(id)}`);
    assert.equal(linkText(repo, 'streams/refs/oci/img:tag'), '../../a-stream:x@y%');
    assert.equal(repo.hasStream('a-stream:x@y%'), id);
    assert.equal(repo.hasNamedStream('oci/img:tag'), true);
    assert.equal(repo.objects.has(id), true);
  });

  it('are looked up by link text alone', async (t) => {
    const repo = await tempRepository(t);
    assert.equal(repo.hasStream('nothing'), undefined);
    const id = await writeStream(repo, 'stream');
    unlinkSync(repo.objects.path(id));
    assert.equal(repo.hasStream('stream'), id);
    symlinkSync(`/objects/${objectPathname(id)}`, join(repo.path, 'streams/absolute'));
    symlinkSync('../objects/ab/cd', join(repo.path, 'streams/short'));
    writeFileSync(join(repo.path, 'streams/file'), '');
    assert.throws(() => repo.hasStream('absolute'), /stream symlink has incorrect prefix/);
    assert.throws(() => repo.hasStream('short'), /Parsing the object id/);
    assert.throws(() => repo.hasStream('file'), { code: 'EINVAL' });
    assert.throws(() => repo.hasStream('../meta.json'), { code: 'INVALID_NAME' });
  });

  it('give back what was written, by name, reference and object', async (t) => {
    const repo = await tempRepository(t);
    const data = testData(70_000, 3);
    const object = repo.objects.ensureObject(data);
    const writer = repo.createStream(CONTENT_TYPE);
    writer.writeInline(Buffer.from('before '));
    writer.addExternalSize(data.length);
    writer.writeReference(object);
    writer.writeInline(Buffer.from(' after'));
    const id = await repo.writeStream(writer, 'stream', 'name');
    const expected = Buffer.concat([Buffer.from('before '), data, Buffer.from(' after')]);
    const content = (...args: Parameters<Repository['mergeSplitstream']>): Buffer =>
      Buffer.concat([...repo.mergeSplitstream(...args)]);
    assert.deepEqual(content('stream'), expected);
    assert.deepEqual(content('refs/name', { contentType: CONTENT_TYPE }), expected);
    // By object the name does not matter.
    assert.deepEqual(content('', { id, contentType: CONTENT_TYPE }), expected);
    assert.throws(
      () => repo.openStream('stream', { contentType: 1n }),
      (error) => /^Opening stream 'stream': .*Invalid splitstream content type$/.test(fullMessage(error)),
    );
    assert.throws(() => repo.openStream('nothing'), { code: 'ENOENT', message: "Opening stream 'nothing'" });
    assert.throws(() => content('refs/nothing'), { code: 'ENOENT', message: "Opening stream 'refs/nothing'" });
    for (const damaged of [object, id]) {
      const path = repo.objects.path(damaged);
      const whole = readFileSync(path);
      chmodSync(path, 0o644);
      // Where only the digest tells: in the middle of the file, and in the flags of the stream's header.
      const at = damaged === id ? 12 : 40_000;
      writeFileSync(path, Buffer.concat([whole.subarray(0, at), Buffer.from([1]), whole.subarray(at + 1)]));
      for (const name of ['stream', 'refs/name']) {
        assert.throws(() => content(name), { code: 'DIGEST_MISMATCH' });
      }
      writeFileSync(path, whole);
    }
  });

  it('do not leak descriptors when they cannot be opened', async (t) => {
    const repo = await tempRepository(t);
    const junk = repo.objects.ensureObject(Buffer.from('not a splitstream'));
    repo.ensureWritable();
    mkdirSync(join(repo.path, 'streams'));
    symlinkSync(`../objects/${objectPathname(junk)}`, join(repo.path, 'streams/junk'));
    const before = readdirSync('/proc/self/fd').length;
    for (let i = 0; i < 5; i++) {
      assert.throws(() => repo.openStream('junk'));
      assert.throws(() => repo.openStream('', { id: junk }));
    }
    assert.equal(readdirSync('/proc/self/fd').length, before);
  });

  it('ensureStream makes a stream once and re-points the reference each time', async (t) => {
    const repo = await tempRepository(t);
    let calls = 0;
    const fill = (writer: ReturnType<typeof repo.createStream>): void => {
      calls++;
      writer.writeInline(Buffer.from('content'));
    };
    const id = await repo.ensureStream('one', CONTENT_TYPE, fill, 'ref');
    assert.equal(await repo.ensureStream('one', CONTENT_TYPE, fill), id);
    await repo.ensureStream('two', CONTENT_TYPE, fill, 'ref');
    assert.equal(linkText(repo, 'streams/refs/ref'), '../two');
    assert.equal(await repo.ensureStream('one', CONTENT_TYPE, fill, 'ref'), id);
    assert.equal(linkText(repo, 'streams/refs/ref'), '../one');
    assert.equal(calls, 2);
  });

  it('registerStream and nameStream do not ask whether the target exists', async (t) => {
    const repo = await tempRepository(t);
    assert.throws(() => repo.nameStream('nothing', 'ref'), { code: 'ENOENT' });
    const id = '12'.repeat(64) as ObjectId;
    await repo.registerStream(id, 'stream', 'a/ref');
    assert.equal(repo.hasStream('stream'), id);
    repo.nameStream('nothing', 'dangling');
    assert.equal(repo.hasNamedStream('dangling'), true);
    assert.equal(repo.hasNamedStream('a/ref'), true);
    assert.equal(repo.hasNamedStream('a'), false);
    assert.equal(repo.hasNamedStream('b'), false);
  });

  it('take no name that lies below another one, or above others', async (t) => {
    const repo = await tempRepository(t);
    await writeStream(repo, 'stream', { ref: 'a/b' });
    const refs = join(repo.path, 'streams/refs');
    assert.throws(() => repo.nameStream('stream', 'a/b/c'), {
      code: 'ENOTDIR',
      message: `${refs}/a/b is a name itself: no other name can lie below it`,
    });
    assert.throws(() => repo.nameStream('stream', 'a'), {
      code: 'EISDIR',
      message: `${refs}/a is a directory: names below it are taken`,
    });
    writeFileSync(join(refs, 'file'), '');
    assert.throws(() => repo.nameStream('stream', 'file'), {
      code: 'EINVAL',
      message: `${refs}/file is not a symbolic link`,
    });
    assert.deepEqual(filesBelow(refs).sort(), ['a/b', 'file']);
  });

  it('refuse bad names before anything is stored', async (t) => {
    const repo = await tempRepository(t);
    const id = '12'.repeat(64) as ObjectId;
    for (const [name, ref] of [['a/b'], ['refs'], [''], ['ok', '../x'], ['ok', 'a//b']] as const) {
      await assert.rejects(repo.registerStream(id, name, ref), { code: 'INVALID_NAME' });
    }
    await assert.rejects(repo.writeImage(Buffer.from('x'), '../x'), { code: 'INVALID_NAME' });
    assert.deepEqual(readdirSync(repo.path), ['meta.json']);
  });
});

describe('images', () => {
  it('are opened by digest, by reference and by the name of a reference', async (t) => {
    const repo = await tempRepository(t);
    const id = await repo.commitImage(treeOf(), 'myimage');
    assert.equal(linkText(repo, `images/${id}`), `../objects/${objectPathname(id)}`);
    assert.equal(linkText(repo, 'images/refs/myimage'), `../${id}`);
    for (const name of [id, 'refs/myimage', 'myimage']) closeSync(repo.openImage(name).fd);
    for (const name of ['other', 'refs/other', 'no/such', 'myimage/x']) {
      if (name === 'myimage/x') continue;
      assert.throws(
        () => repo.openImage(name),
        (error) =>
          findCause(error, ImageNotFoundError)?.imageName === name &&
          fullMessage(error) === `Opening image '${name}': image not found: ${name}`,
      );
    }
    assert.equal(repo.hasImage(id), true);
    assert.equal(repo.hasImage('00'.repeat(64) as ObjectId), false);
    // By digest the algorithm's own form only.
    assert.throws(() => repo.openImage(`sha512:${id}`), /Opening image/);
  });

  it('ask for verity exactly where the file has it, in insecure mode', async (t) => {
    const repo = await tempRepository(t);
    const id = await repo.commitImage(treeOf(), 'myimage');
    const states = [id, 'refs/myimage', 'myimage'].map((name) => {
      const { fd, enableVerity } = repo.openImage(name);
      closeSync(fd);
      return enableVerity;
    });
    assert.equal(new Set(states).size, 1);
  });

  it('without their object are not found', async (t) => {
    const repo = await tempRepository(t);
    const id = await repo.commitImage(treeOf(), 'myimage');
    unlinkSync(repo.objects.path(id));
    for (const name of [id, 'myimage', 'refs/myimage']) {
      assert.throws(
        () => repo.openImage(name),
        (error) => findCause(error, ImageNotFoundError) !== undefined,
      );
    }
  });

  it('are made in all configured formats, of which the default one is named', async (t) => {
    const repo = await tempRepository(t, { erofsFormats: { default: 1, extra: [2] } });
    const root = treeOf();
    const images = await repo.commitImages(root, 'myref');
    assert.deepEqual([...images.keys()], [1, 2]);
    const [v1, v2] = [await computeImageId(root, 1, 'sha512'), await computeImageId(root, 2, 'sha512')];
    assert.notEqual(v1, v2);
    assert.deepEqual([...images.values()], [v1, v2]);
    assert.deepEqual(filesBelow(join(repo.path, 'images')), [v1, v2, 'refs/myref'].sort());
    assert.equal(linkText(repo, 'images/refs/myref'), `../${v1}`);
    assert.equal(await repo.commitImage(root), v1);
    assert.equal(await repo.commitImageVersion(root, 0, 'zero'), await computeImageId(root, 0, 'sha512'));
    repo.setErofsVersion(2);
    assert.equal(await repo.commitImage(root), v2);
  });

  for (const version of [0, 1, 2] as const) {
    it(`tell which objects they need (V${version})`, async (t) => {
      const repo = await tempRepository(t, { erofsFormats: { default: version, extra: [] } });
      const objects = [1, 2, 3].map((seed) => ({ id: repo.objects.ensureObject(testData(100, seed)), size: 100 }));
      const id = await repo.commitImage(treeOf(...objects), 'image');
      const expected = objects.map((object) => object.id).sort();
      assert.deepEqual([...(await repo.objectsForImage(id))].sort(), expected);
      assert.deepEqual([...(await repo.objectsForImage('image'))].sort(), expected);
    });
  }

  it('that are no images are an error with its contexts', async (t) => {
    const repo = await tempRepository(t);
    await repo.writeImage(Buffer.from('no image'), 'junk');
    await assert.rejects(repo.objectsForImage('junk'), (error) =>
      /^Collecting objects for image 'junk': Collecting objects from erofs image data: /.test(fullMessage(error)),
    );
    await assert.rejects(
      repo.objectsForImage('nope'),
      (error) =>
        fullMessage(error) === "Collecting objects for image 'nope': Opening image 'nope': image not found: nope",
    );
  });
});

describe('lists of references', () => {
  it('are sorted and relative to the prefix', async (t) => {
    const repo = await tempRepository(t);
    assert.deepEqual(repo.listStreamRefs(), []);
    await writeStream(repo, 'stream', { ref: 'b' });
    for (const ref of ['a/z', 'a/y/x', 'ostree/stable', 'c', 'a.b']) repo.nameStream('stream', ref);
    assert.deepEqual(
      repo.listStreamRefs().map(([name]) => name),
      ['a.b', 'a/y/x', 'a/z', 'b', 'c', 'ostree/stable'],
    );
    assert.deepEqual(repo.listStreamRefs('ostree/'), [['stable', '../../stream']]);
    assert.deepEqual(repo.listStreamRefs('ostree'), [['stable', '../../stream']]);
    assert.deepEqual(repo.listStreamRefs('nothing'), []);
    assert.throws(() => repo.listStreamRefs('b'), { code: 'ENOTDIR' });
    assert.throws(() => repo.listStreamRefs('..'), { code: 'INVALID_NAME' });
    const id = await repo.commitImage(treeOf(), 'image');
    assert.deepEqual(repo.listImageRefs(), [['image', `../${id}`]]);
  });

  it('leave out what is not a symlink or not UTF-8', async (t) => {
    const repo = await tempRepository(t);
    await writeStream(repo, 'stream', { ref: 'good' });
    const refs = join(repo.path, 'streams/refs');
    writeFileSync(join(refs, 'file'), '');
    symlinkSync('../stream', Buffer.concat([Buffer.from(`${refs}/`), Buffer.from([0xff])]));
    symlinkSync(Buffer.from([0x2e, 0x2e, 0x2f, 0xfe]), join(refs, 'bad-text'));
    assert.deepEqual(repo.listStreamRefs(), [['good', '../stream']]);
  });
});
