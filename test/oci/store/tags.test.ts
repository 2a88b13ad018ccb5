import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { Repository } from '../../../src/composefs/repository/index.js';
import type { OciDigest } from '../../../src/oci/model/digest.js';
import { sha256ContentDigest } from '../../../src/oci/model/digest.js';
import { encodeTag } from '../../../src/oci/model/tag.js';
import { OciImageNotFound, OciRefNotFound } from '../../../src/oci/store/errors.js';
import { manifestIdentifier } from '../../../src/oci/store/identifiers.js';
import { listRefs, resolveRef, tagImage, untagImage } from '../../../src/oci/store/tags.js';
import { spdxArtifact } from '../../support/oci-fixtures.js';
import { fuzzRuns } from '../fuzz-runs.js';
import { failsWith, storeArtifact, tempRepository } from '../oci-support.js';

async function repositoryWithManifest(t: TestContext): Promise<{ repo: Repository; digest: OciDigest }> {
  const repo = await tempRepository(t, { algorithm: 'sha256' });
  const { digest } = await storeArtifact(repo, spdxArtifact());
  return { repo, digest };
}

const refsPath = (repo: Repository, ...names: string[]): string => join(repo.path, 'streams/refs', ...names);
const ABSENT = sha256ContentDigest(Buffer.from('absent'));

const TAGS = [
  ['myimage:latest', 'myimage:latest'],
  ['library/nginx', 'library%2Fnginx'],
  ['docker://busybox', 'docker:%2F%2Fbusybox'],
  ['test%2F', 'test%252F'],
  ['simple', 'simple'],
  ['weird%name/with/slashes', 'weird%25name%2Fwith%2Fslashes'],
  ['%2F', '%252F'],
  ['a/b%c', 'a%2Fb%25c'],
  ['100%', '100%25'],
  ['%25already-encoded', '%2525already-encoded'],
  ['double%%percent', 'double%25%25percent'],
  ['name@digest', 'name@digest'],
  ['refs', 'refs'],
  [' with spaces\nand lines ', ' with spaces\nand lines '],
  ['ünï/çødé/🚀', 'ünï%2Fçødé%2F🚀'],
] as const;

test('every tag round-trips through the repository under its encoded name (spec 40 §1.2)', async (t) => {
  const { repo, digest } = await repositoryWithManifest(t);
  for (const [tag, encoded] of TAGS) {
    await tagImage(repo, digest, tag);
    assert.equal(readlinkSync(refsPath(repo, 'oci', encoded)), `../../oci-manifest-${digest}`);
    assert.deepEqual(resolveRef(repo, tag), [digest, repo.hasStream(manifestIdentifier(digest))]);
    assert.deepEqual(listRefs(repo), [[tag, digest]]);
    await untagImage(repo, tag);
    assert.deepEqual(listRefs(repo), []);
  }
});

test('any valid tag round-trips, and its file name has no slash', async (t) => {
  const { repo, digest } = await repositoryWithManifest(t);
  const tags = fc
    .string({
      unit: fc.oneof(
        fc.constantFrom('%', '/', '2', 'F', '5', '@', '.'),
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
      ),
      minLength: 1,
      maxLength: 40,
    })
    .filter(
      (tag) =>
        !tag.startsWith('@') &&
        tag !== '.' &&
        tag !== '..' &&
        !tag.includes('\0') &&
        Buffer.byteLength(encodeTag(tag)) <= 255,
    );
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(tags, { maxLength: 5 }), async (names) => {
      for (const name of names) await tagImage(repo, digest, name);
      assert.deepEqual(
        listRefs(repo),
        [...names].sort((a, b) => (a < b ? -1 : 1)).map((name) => [name, digest]),
      );
      for (const name of names) {
        assert.equal(resolveRef(repo, name)[0], digest);
        await untagImage(repo, name);
      }
    }),
    { numRuns: fuzzRuns(60) },
  );
});

test('names of one image are independent, and a tag can move', async (t) => {
  const { repo, digest } = await repositoryWithManifest(t);
  const other = await storeArtifact(repo, { ...spdxArtifact(), ...otherManifest() });
  await tagImage(repo, digest, 'b');
  await tagImage(repo, digest, 'a');
  await tagImage(repo, digest, 'a');
  assert.deepEqual(listRefs(repo), [
    ['a', digest],
    ['b', digest],
  ]);
  await tagImage(repo, other.digest, 'a');
  assert.deepEqual(listRefs(repo), [
    ['a', other.digest],
    ['b', digest],
  ]);
  await untagImage(repo, 'a');
  assert.equal(resolveRef(repo, 'b')[0], digest);
  assert.equal((await repo.gc({ threads: 0 })).objectsRemoved > 0, true);
  assert.equal(resolveRef(repo, 'b')[0], digest);
});

function otherManifest(): { manifest: ReturnType<typeof spdxArtifact>['manifest'] } {
  const { manifest } = spdxArtifact();
  const bytes = Buffer.concat([manifest.bytes, Buffer.from('\n')]);
  return {
    manifest: { bytes, descriptor: { ...manifest.descriptor, digest: sha256ContentDigest(bytes), size: bytes.length } },
  };
}

test('an unknown tag is OciRefNotFound, removing it an error that names it', async (t) => {
  const { repo, digest } = await repositoryWithManifest(t);
  for (const name of ['nonexistent:tag', '', '.', '..', 'a\0b', '../../../meta.json', 'a/../../b']) {
    assert.throws(() => resolveRef(repo, name), new OciRefNotFound(name));
    await assert.rejects(untagImage(repo, name), { message: `Failed to remove tag ${name}` });
  }
  await tagImage(repo, digest, 'tag');
  assert.throws(() => resolveRef(repo, 'x'.repeat(256)), { message: /^Reference x+ not found$/, code: 'ENAMETOOLONG' });
  assert.ok(readdirSync(repo.path).includes('meta.json'));
});

test('a tag that UTF-8 cannot hold does not stand for another one', async (t) => {
  const { repo, digest } = await repositoryWithManifest(t);
  await tagImage(repo, digest, 'a\ufffd');
  assert.throws(() => resolveRef(repo, 'a\ud800'), OciRefNotFound);
  await assert.rejects(untagImage(repo, 'a\ud800'));
  assert.equal(listRefs(repo).length, 1);
});

test('names that are reserved or no file names are refused before anything is written (H-7)', async (t) => {
  const { repo, digest } = await repositoryWithManifest(t);
  await assert.rejects(tagImage(repo, digest, '@name'), {
    code: 'INVALID_REF_NAME',
    message: `Invalid ref name "@name": leading '@' is reserved for digest references`,
  });
  for (const name of ['', '.', '..', 'a\0', '\ud800', 'x'.repeat(256), '/'.repeat(86)]) {
    await assert.rejects(tagImage(repo, digest, name), failsWith('INVALID_REF_NAME', 'Invalid ref name'));
  }
  assert.deepEqual(listRefs(repo), []);
  await tagImage(repo, digest, 'x'.repeat(255));
  await tagImage(repo, digest, '/'.repeat(85));
  assert.equal(listRefs(repo).length, 2);
});

test('only stored manifests can be tagged (H-6)', async (t) => {
  const { repo } = await repositoryWithManifest(t);
  await assert.rejects(tagImage(repo, ABSENT, 'absent'), new OciImageNotFound(ABSENT));
  assert.deepEqual(listRefs(repo), []);
});

test('refs that are no tags are left out of the list and refused by name', async (t) => {
  const { repo, digest } = await repositoryWithManifest(t);
  assert.deepEqual(listRefs(repo), []);
  await tagImage(repo, digest, 'good');
  const link = (name: string | Buffer, target: string): void => {
    const directory = Buffer.from(refsPath(repo, 'oci/'));
    symlinkSync(target, Buffer.concat([directory, Buffer.from(name)]));
  };
  link('layer', '../../oci-layer-sha256:00');
  link('digest', '../../oci-manifest-nodigest');
  link('dangling', `../../oci-manifest-${ABSENT}`);
  link(Buffer.from([0x66, 0xff]), `../../oci-manifest-${digest}`);
  link('%2f%', `../../oci-manifest-${digest}`);
  writeFileSync(refsPath(repo, 'oci/file'), '');
  mkdirSync(refsPath(repo, 'oci/sub'));
  link('sub/inner', `../../../oci-manifest-${digest}`);
  assert.deepEqual(listRefs(repo), [
    ['%2f%', digest],
    ['dangling', ABSENT],
    ['good', digest],
    ['sub/inner', digest],
  ]);
  assert.throws(() => resolveRef(repo, 'layer'), { message: 'Invalid manifest reference: oci-layer-sha256:00' });
  assert.throws(() => resolveRef(repo, 'digest'), { message: 'Invalid OCI digest in reference: nodigest' });
  assert.throws(() => resolveRef(repo, 'dangling'), failsWith('OCI_IMAGE_NOT_FOUND', `Manifest ${ABSENT} not found`));
  assert.throws(() => resolveRef(repo, 'file'), { message: 'Reference file not found', code: 'EINVAL' });
});
