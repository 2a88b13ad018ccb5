import assert from 'node:assert/strict';
import { existsSync, mkdirSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Repository } from '../../../src/composefs/repository/index.js';
import { type OciDigest, sha256ContentDigest } from '../../../src/oci/model/digest.js';
import { manifestIdentifier } from '../../../src/oci/store/identifiers.js';
import {
  addReferrer,
  cleanupDanglingReferrers,
  listReferrers,
  removeReferrer,
  removeReferrersForSubject,
} from '../../../src/oci/store/referrers.js';
import { tagImage, untagImage } from '../../../src/oci/store/tags.js';
import { blob, buildArtifact } from '../../support/oci-fixtures.js';
import { type StoredImage, storeArtifact, tempRepository } from '../oci-support.js';

const SUBJECT = sha256ContentDigest(Buffer.from('subject'));
const ABSENT = sha256ContentDigest(Buffer.from('absent'));

function store(repo: Repository, text: string): Promise<StoredImage> {
  return storeArtifact(repo, buildArtifact([blob('text/plain', Buffer.from(text))]));
}

function subjectPath(repo: Repository, subject: OciDigest): string {
  return join(repo.path, 'streams/refs/oci-referrers', subject);
}

test('adding a referrer twice makes one entry; removing a missing one is fine', async (t) => {
  const repo = await tempRepository(t);
  assert.deepEqual(listReferrers(repo, SUBJECT), []);
  const a = await store(repo, 'a');
  const b = await store(repo, 'b');
  for (const { digest } of [b, a, b]) addReferrer(repo, SUBJECT, digest);
  const expected = [a, b]
    .map(({ digest, manifestVerity }) => [digest, manifestVerity] as const)
    .sort(([x], [y]) => (x < y ? -1 : 1));
  assert.deepEqual(listReferrers(repo, SUBJECT), expected);
  assert.deepEqual(listReferrers(repo, ABSENT), []);
  removeReferrer(repo, SUBJECT, a.digest);
  removeReferrer(repo, SUBJECT, a.digest);
  removeReferrer(repo, ABSENT, a.digest);
  assert.deepEqual(listReferrers(repo, SUBJECT), [[b.digest, b.manifestVerity]]);
});

test('the list leaves out artifacts that are not stored and entries that point elsewhere', async (t) => {
  const repo = await tempRepository(t);
  const a = await store(repo, 'a');
  addReferrer(repo, SUBJECT, ABSENT);
  assert.deepEqual(listReferrers(repo, SUBJECT), []);
  const other = join(subjectPath(repo, SUBJECT), sha256ContentDigest(Buffer.from('other')));
  symlinkSync(`../../../oci-manifest-${a.digest}`, other);
  assert.deepEqual(listReferrers(repo, SUBJECT), []);
  symlinkSync(`../../../oci-manifest-${a.digest}`, join(subjectPath(repo, SUBJECT), 'nonsense'));
  assert.throws(() => listReferrers(repo, SUBJECT), { message: "Parsing referrer digest 'nonsense'" });
});

test('removing all referrers of a subject keeps stale entries and their directory only', async (t) => {
  const repo = await tempRepository(t);
  const a = await store(repo, 'a');
  addReferrer(repo, SUBJECT, a.digest);
  removeReferrersForSubject(repo, SUBJECT);
  assert.equal(existsSync(subjectPath(repo, SUBJECT)), false);
  removeReferrersForSubject(repo, SUBJECT);

  addReferrer(repo, SUBJECT, a.digest);
  addReferrer(repo, SUBJECT, ABSENT);
  removeReferrersForSubject(repo, SUBJECT);
  assert.deepEqual(listReferrers(repo, SUBJECT), []);
  assert.ok(existsSync(subjectPath(repo, SUBJECT)));
});

test('a referrer keeps its artifact alive until its subject is gone and cleaned up (spec 40 §9)', async (t) => {
  const repo = await tempRepository(t);
  assert.equal(cleanupDanglingReferrers(repo), 0);
  const subject = await store(repo, 'subject');
  const artifact = await store(repo, 'signature');
  await tagImage(repo, subject.digest, 'subject');
  addReferrer(repo, subject.digest, artifact.digest);
  const manifest = manifestIdentifier(artifact.digest);
  const collect = async (): Promise<boolean> => {
    await repo.gc({ threads: 0 });
    return repo.hasStream(manifest) !== undefined;
  };
  assert.ok(await collect());
  assert.equal(cleanupDanglingReferrers(repo), 0);
  await untagImage(repo, 'subject');
  // The subject's stream is still there.
  assert.equal(cleanupDanglingReferrers(repo), 0);
  assert.ok(await collect());
  assert.equal(repo.hasStream(manifestIdentifier(subject.digest)), undefined);
  assert.equal(cleanupDanglingReferrers(repo), 1);
  assert.equal(existsSync(subjectPath(repo, subject.digest)), false);
  assert.equal(await collect(), false);
});

test('cleaning up spares subjects that are stored and names what it cannot read', async (t) => {
  const repo = await tempRepository(t);
  const [stored, artifact] = [await store(repo, 'subject'), await store(repo, 'artifact')];
  addReferrer(repo, stored.digest, artifact.digest);
  addReferrer(repo, SUBJECT, artifact.digest);
  addReferrer(repo, SUBJECT, ABSENT);
  assert.equal(cleanupDanglingReferrers(repo), 2);
  assert.equal(listReferrers(repo, stored.digest).length, 1);
  mkdirSync(join(repo.path, 'streams/refs/oci-referrers/junk'));
  assert.throws(() => cleanupDanglingReferrers(repo), { message: "Parsing subject digest 'junk'" });
});

test('cleaning up ignores directories whose names are not UTF-8', async (t) => {
  const repo = await tempRepository(t);
  const artifact = await store(repo, 'artifact');
  addReferrer(repo, SUBJECT, artifact.digest);
  const directory = Buffer.from(join(repo.path, 'streams/refs/oci-referrers/'));
  mkdirSync(Buffer.concat([directory, Buffer.from([0xff, 0xfe])]));
  assert.equal(cleanupDanglingReferrers(repo), 1);
  unlinkSync(join(repo.path, 'streams', manifestIdentifier(artifact.digest)));
});
