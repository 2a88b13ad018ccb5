import assert from 'node:assert/strict';
import { chmodSync, readFileSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import type { ObjectId } from '../../src/composefs/fsverity/object-id.js';
import type { Repository } from '../../src/composefs/repository/index.js';
import { ociFsck, ociFsckImage } from '../../src/oci/fsck/fsck.js';
import { pull } from '../../src/oci/import/pull.js';
import { layerDumpfile, layerInfo, layerTar } from '../../src/oci/layer/inspect-layer.js';
import type { OciDigest } from '../../src/oci/model/digest.js';
import { writeConfigStream } from '../../src/oci/store/config-stream.js';
import {
  blobIdentifier,
  configIdentifier,
  layerContentId,
  manifestIdentifier,
} from '../../src/oci/store/identifiers.js';
import { OciImage } from '../../src/oci/store/image.js';
import { buildImage, dataLayerTar } from '../support/oci-fixtures.js';
import { failsWith, layoutOf, PULL, tempRepository } from './oci-support.js';

/** Links that lead to something else than their names say, each of which is a file of the right kind. */

async function twoImages(t: TestContext): Promise<{ repo: Repository; a: OciImage; b: OciImage }> {
  const repo = await tempRepository(t);
  for (const [tag, size] of [
    ['a', 3000],
    ['b', 5000],
  ] as const) {
    await pull(repo, layoutOf(t, buildImage([dataLayerTar(size)])), tag, PULL);
  }
  return { repo, a: OciImage.openRef(repo, 'a'), b: OciImage.openRef(repo, 'b') };
}

function link(repo: Repository, path: string, text: string): void {
  rmSync(join(repo.path, path), { force: true });
  symlinkSync(text, join(repo.path, path));
}

const objectLink = (id: ObjectId): string => `../objects/${id.slice(0, 2)}/${id.slice(2)}`;

async function findings(repo: Repository): Promise<unknown[]> {
  const { repoResult, errors } = await ociFsck(repo, { threads: 0 });
  return [...repoResult.errors, ...errors];
}

test('an image in images/ that is another object', async (t) => {
  const { repo, a, b } = await twoImages(t);
  const [idA, idB] = [a.imageRef(1), b.imageRef(1)];
  assert.ok(idA !== undefined && idB !== undefined);
  link(repo, `images/${idA}`, objectLink(idB));
  assert.deepEqual(await findings(repo), [
    { type: 'wrong-link', path: `images/${idA}`, detail: `leads to the object ${idB}` },
    { type: 'linked-image-missing', name: 'a', digest: idA, detail: 'the link in images/ leads elsewhere' },
  ]);
  // The next pull puts it right.
  await pull(repo, layoutOf(t, buildImage([dataLayerTar(3000)])), 'a', PULL);
  assert.deepEqual(await findings(repo), []);
  unlinkSync(join(repo.path, 'images', idA));
  const detail = `Opening image '${idA}'`;
  assert.deepEqual(await findings(repo), [{ type: 'linked-image-missing', name: 'a', digest: idA, detail }]);
});

test('a config whose name leads to the stream of another config, or to another stream of the same', async (t) => {
  const { repo, a, b } = await twoImages(t);
  const name = configIdentifier(a.configDigest);
  link(repo, `streams/${name}`, objectLink(b.configVerity));
  const mismatch = { type: 'config-link-mismatch', name: 'a', digest: a.configDigest, expected: a.configVerity };
  assert.deepEqual(await findings(repo), [
    { ...mismatch, actual: b.configVerity },
    { type: 'stream-digest-mismatch', name, detail: `expected ${a.configDigest}, got ${b.configDigest}` },
  ]);
  const [, other] = await writeConfigStream(repo, a.readConfigJson(repo), a.layerRefs);
  assert.deepEqual(await findings(repo), [{ ...mismatch, actual: other }]);
  unlinkSync(join(repo.path, 'streams', name));
  assert.deepEqual(await findings(repo), [{ ...mismatch, actual: '' }]);
  await pull(repo, layoutOf(t, buildImage([dataLayerTar(3000)])), 'a', PULL);
  assert.deepEqual(await findings(repo), []);
});

test('a manifest that is not tagged, whose name leads to another', async (t) => {
  const { repo, a, b } = await twoImages(t);
  unlinkSync(join(repo.path, 'streams/refs/oci/a'));
  const name = manifestIdentifier(a.manifestDigest);
  link(repo, `streams/${name}`, objectLink(b.manifestVerity));
  const detail = `expected ${a.manifestDigest}, got ${b.manifestDigest}`;
  assert.deepEqual(await findings(repo), [{ type: 'stream-digest-mismatch', name, detail }]);
});

test('a layer whose name leads to another layer', async (t) => {
  const { repo, a, b } = await twoImages(t);
  const [diffId, other] = [a.layerDiffIds()[0] as OciDigest, b.layerDiffIds()[0] as OciDigest];
  link(repo, `streams/${layerContentId(diffId)}`, objectLink(b.layerVerity(other) as ObjectId));
  const detail = `Layer has incorrect checksum: expected ${diffId}, its content is ${other}`;
  const finding = { type: 'stream-digest-mismatch', name: layerContentId(diffId), detail };
  assert.deepEqual(await findings(repo), [finding]);
  assert.deepEqual((await ociFsckImage(repo, 'a', { threads: 0 })).errors, [finding]);
  assert.deepEqual((await ociFsckImage(repo, 'b', { threads: 0 })).errors, []);
  await pull(repo, layoutOf(t, buildImage([dataLayerTar(3000)])), 'a', PULL);
  assert.deepEqual(await findings(repo), []);
});

test('names that lead to streams of another kind', async (t) => {
  const { repo, a, b } = await twoImages(t);
  const diffId = a.layerDiffIds()[0] as OciDigest;
  unlinkSync(join(repo.path, 'streams/refs/oci/b'));
  const streams: readonly (readonly [name: string, id: ObjectId])[] = [
    [blobIdentifier(diffId), a.layerVerity(diffId) as ObjectId],
    [configIdentifier(b.configDigest), b.manifestVerity],
    [layerContentId(diffId), a.configVerity],
    [manifestIdentifier(b.manifestDigest), b.configVerity],
  ];
  for (const [name, id] of streams) link(repo, `streams/${name}`, objectLink(id));
  const detail = 'Invalid splitstream content type';
  const expected = streams.map(([name]) => ({ type: 'stream-digest-mismatch', name, detail }));
  assert.deepEqual(await findings(repo), expected);
  assert.deepEqual((await ociFsckImage(repo, 'a', { threads: 0 })).errors, [expected[2]]);
});

test('references and entries that lead out of the repository, or to what is no entry', async (t) => {
  const { repo, a } = await twoImages(t);
  const id = a.imageRef(1) as ObjectId;
  writeFileSync(join(repo.path, 'file'), '');
  const refs: readonly (readonly [path: string, text: string])[] = [
    ['images/refs/absolute', '/etc/passwd'],
    ['images/refs/cross', `../../streams/${manifestIdentifier(a.manifestDigest)}`],
    ['images/refs/file', '../../file'],
    ['images/refs/object', `../${objectLink(id)}`],
    ['images/refs/refs', '../refs'],
    ['streams/refs/oci/up', '../../../../../../../../etc/passwd'],
  ];
  rmSync(join(repo.path, 'images/refs'), { recursive: true, force: true });
  await repo.registerImage(id, 'good/one');
  for (const [path, text] of refs) link(repo, path, text);
  const found = refs.map(([path, text]) => {
    if (text.endsWith('passwd')) {
      return { type: 'stat-failed', path, detail: `${repo.path}/${path} leads out of the repository, to ${text}` };
    }
    const detail = `leads to ${text}, which is no entry of ${path.slice(0, path.indexOf('/'))}/`;
    return { type: 'wrong-link', path, detail };
  });
  const { errors } = await repo.fsck({ threads: 0 });
  assert.deepEqual(errors, [found.at(-1), ...found.slice(0, -1)]);

  for (const [path] of refs) unlinkSync(join(repo.path, path));
  // The right file, on a way that ends with the repository's move.
  const outside = `${repo.path}/objects/${id.slice(0, 2)}/${id.slice(2)}`;
  link(repo, `images/${id}`, outside);
  const detail = `${repo.path}/images/${id} leads out of the repository, to ${outside}`;
  const wrong = { type: 'stat-failed', detail };
  assert.deepEqual((await repo.fsck({ threads: 0 })).errors, [
    { ...wrong, path: `images/${id}` },
    { ...wrong, path: 'images/refs/good/one' },
  ]);
  link(repo, `images/${id}`, '../file');
  const [problem] = (await repo.fsck({ threads: 0 })).errors;
  assert.deepEqual([problem?.type, problem?.type === 'wrong-link' && problem.path], ['wrong-link', `images/${id}`]);
});

test('objects that are all gone', async (t) => {
  const { repo } = await twoImages(t);
  rmSync(join(repo.path, 'objects'), { recursive: true });
  const { repoResult, imagesChecked, imagesCorrupted } = await ociFsck(repo, { threads: 0 });
  assert.equal(repoResult.errors.length, repoResult.brokenLinks);
  assert.deepEqual([repoResult.streamsCorrupted, repoResult.imagesCorrupted], [6, 2]);
  assert.deepEqual([imagesChecked, imagesCorrupted], [2, 2]);
});

test('one changed byte in the stream of a layer fails every way to read it', async (t) => {
  const { repo, a } = await twoImages(t);
  const diffId = a.layerDiffIds()[0] as OciDigest;
  const path = repo.objects.path(a.layerVerity(diffId) as ObjectId);
  const content = readFileSync(path);
  chmodSync(path, 0o644);
  for (let at = 0; at < content.length; at += 7) {
    const changed = Buffer.from(content);
    changed[at] = (changed[at] ?? 0) ^ 1;
    writeFileSync(path, changed);
    // What does not begin like a splitstream is not read on.
    const fails = failsWith(at < 11 ? 'INVALID_SPLITSTREAM' : 'DIGEST_MISMATCH');
    for (const read of [layerTar, layerDumpfile]) await assert.rejects(text(read(repo, diffId)), fails, `byte ${at}`);
    await assert.rejects(layerInfo(repo, diffId), fails, `byte ${at}`);
  }
});

test('one changed byte in a file of a layer fails the tar at its end', async (t) => {
  const { repo, a } = await twoImages(t);
  const diffId = a.layerDiffIds()[0] as OciDigest;
  const reader = repo.openStream('', { id: a.layerVerity(diffId) });
  const [object] = reader.objectRefs;
  reader.close();
  const path = repo.objects.path(object as ObjectId);
  const content = readFileSync(path);
  chmodSync(path, 0o644);
  content[100] = (content[100] ?? 0) ^ 1;
  writeFileSync(path, content);
  await assert.rejects(buffer(layerTar(repo, diffId)), failsWith('DIGEST_MISMATCH', 'Layer has incorrect checksum'));
});
