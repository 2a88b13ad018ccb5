import { byteStringToBuffer } from '../../bytes/byte-string.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import type { Repository } from '../../composefs/repository/repository.js';
import { ContextError, errorCode, withContext } from '../../errors.js';
import { tryNameText } from '../../fs/directory-entries.js';
import { type OciDigest, parseOciDigest } from '../model/digest.js';
import { decodeTag, encodeTag } from '../model/tag.js';
import { MANIFEST_STREAM_PREFIX, manifestIdentifier, REFERRERS_REF_PREFIX } from './identifiers.js';
import { hasManifest } from './manifest-stream.js';

/**
 * Referrers: artifacts whose manifests name another manifest as their subject (spec 40 §9). Each is a ref below
 * `streams/refs/oci-referrers/<subject>/` and keeps its artifact alive.
 */

/** A directory for each subject. */
const REFERRERS = `streams/refs/${REFERRERS_REF_PREFIX}`.replace(/\/$/, '');

/** Records that `artifact` refers to `subject`. Neither needs to exist; doing it twice changes nothing. */
export function addReferrer(repo: Repository, subject: OciDigest, artifact: OciDigest): void {
  repo.ensureWritable();
  repo.nameStream(manifestIdentifier(artifact), `${REFERRERS_REF_PREFIX}${encodeTag(subject)}/${encodeTag(artifact)}`);
}

/** The artifacts that refer to `subject` and whose manifests are stored, with these; by digest. */
export function listReferrers(repo: ReadableRepository, subject: OciDigest): [artifact: OciDigest, verity: ObjectId][] {
  const found: [OciDigest, ObjectId][] = [];
  for (const [name, target] of repo.listStreamRefs(REFERRERS_REF_PREFIX + encodeTag(subject))) {
    const digest = withContext(`Parsing referrer digest '${name}'`, () => parseOciDigest(decodeTag(name)));
    const component = target.slice(target.lastIndexOf('/') + 1);
    if (component !== MANIFEST_STREAM_PREFIX + digest) continue;
    const verity = hasManifest(repo, digest);
    if (verity !== undefined) found.push([digest, verity]);
  }
  return found.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** The subjects that have entries of referrers, whether these are stored or not. */
export function referrerSubjects(repo: ReadableRepository): Set<string> {
  return new Set(subjectNames(repo).map(decodeTag));
}

/** Forgets one referrer, if it is there. */
export function removeReferrer(repo: Repository, subject: OciDigest, artifact: OciDigest): void {
  repo.ensureWritable();
  try {
    repo.root.unlink(`${subjectPath(encodeTag(subject))}/${encodeTag(artifact)}`);
  } catch (cause) {
    if (errorCode(cause) !== 'ENOENT') throw new ContextError(`Failed to remove referrer ${artifact}`, cause);
  }
}

/** Forgets all referrers of a subject that {@link listReferrers} lists. */
export function removeReferrersForSubject(repo: Repository, subject: OciDigest): void {
  for (const [artifact] of listReferrers(repo, subject)) removeReferrer(repo, subject, artifact);
  try {
    repo.root.removeDirectory(subjectPath(encodeTag(subject)));
  } catch {
    // Stale entries keep the directory; cleanupDanglingReferrers removes those.
  }
}

/**
 * Removes the referrers of subjects whose manifests are no longer stored, and returns how many entries that were.
 * To collect orphaned artifacts: gc (drops the subject), this, gc again.
 */
export function cleanupDanglingReferrers(repo: Repository): number {
  repo.ensureWritable();
  let removed = 0;
  for (const name of subjectNames(repo)) {
    const subject = withContext(`Parsing subject digest '${name}'`, () => parseOciDigest(decodeTag(name)));
    if (hasManifest(repo, subject) !== undefined) continue;
    const directory = subjectPath(name);
    for (const entry of repo.root.list(directory) ?? []) {
      repo.root.unlink(Buffer.concat([Buffer.from(`${directory}/`), byteStringToBuffer(entry.name)]));
      removed += 1;
    }
    repo.root.removeDirectory(directory);
  }
  return removed;
}

function subjectPath(encodedSubject: string): string {
  return `${REFERRERS}/${encodedSubject}`;
}

/** Names that are not UTF-8 are nobody's subjects. */
function subjectNames(repo: ReadableRepository): string[] {
  const entries = repo.root.list(REFERRERS) ?? [];
  return entries.flatMap(({ kind, name }) => (kind === 'directory' ? (tryNameText(name) ?? []) : []));
}
