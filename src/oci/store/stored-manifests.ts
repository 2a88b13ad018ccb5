import { listEntries } from '../../composefs/repository/names/category.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { tryNameText } from '../../fs/directory-entries.js';
import { runInTurns, type Steps } from '../../threads/turns.js';
import { type OciDigest, parseOciDigest } from '../model/digest.js';
import { type ImageManifest, parseManifest } from '../model/manifest.js';
import type { ExternalStream } from './external-stream.js';
import { configRefKey, MANIFEST_STREAM_PREFIX } from './identifiers.js';
import { readManifestStream } from './manifest-stream.js';

/** A manifest as it is stored, with its digest checked. */
export interface StoredManifest extends ExternalStream {
  readonly digest: OciDigest;
  readonly manifest: ImageManifest;
}

/** A stored manifest; undefined if it is not there or damaged. */
export function findManifest(repo: ReadableRepository, digest: OciDigest): StoredManifest | undefined {
  try {
    const stored = readManifestStream(repo, digest);
    return { ...stored, digest, manifest: parseManifest(stored.data).value };
  } catch {
    return undefined;
  }
}

/** All stored manifests, tagged or not; damaged ones are left out. */
export function* storedManifests(repo: ReadableRepository): Generator<StoredManifest> {
  for (const digest of manifestDigests(repo)) {
    const stored = findManifest(repo, digest);
    if (stored !== undefined) yield stored;
  }
}

/**
 * The stored manifests that name a config.
 *
 * @param others manifests that are known to name another one, and are passed over.
 */
export function* manifestsOfConfig(
  repo: ReadableRepository,
  configDigest: OciDigest,
  others: ReadonlySet<OciDigest> = new Set(),
): Generator<StoredManifest> {
  for (const digest of manifestDigests(repo)) {
    // The streams alone are a fraction of the work of reading the documents.
    if (others.has(digest) || namesConfig(repo, digest, configDigest) !== true) continue;
    const stored = findManifest(repo, digest);
    if (stored?.manifest.config.digest === configDigest) yield stored;
  }
}

/** The stored manifests that name another config, without damaged ones. Which one a manifest names never changes. */
export function* otherManifestSteps(repo: ReadableRepository, configDigest: OciDigest): Steps<Set<OciDigest>> {
  const others = new Set<OciDigest>();
  for (const digest of manifestDigests(repo)) {
    yield;
    if (namesConfig(repo, digest, configDigest) === false) others.add(digest);
  }
  return others;
}

/** {@link manifestsOfConfig}, in turns. */
export async function findManifestsOfConfig(
  repo: ReadableRepository,
  configDigest: OciDigest,
): Promise<StoredManifest[]> {
  const others = await runInTurns(otherManifestSteps(repo, configDigest));
  return [...manifestsOfConfig(repo, configDigest, others)];
}

/** Undefined if the stream is damaged. */
function namesConfig(repo: ReadableRepository, digest: OciDigest, configDigest: OciDigest): boolean | undefined {
  try {
    const reader = repo.openStream(MANIFEST_STREAM_PREFIX + digest);
    try {
      return reader.namedRefs().has(configRefKey(configDigest));
    } finally {
      reader.close();
    }
  } catch {
    return undefined;
  }
}

/** The digests of all stored manifests, damaged ones included. */
export function* manifestDigests(repo: ReadableRepository): Generator<OciDigest> {
  for (const { name } of listEntries(repo, 'streams')) {
    const text = tryNameText(name);
    if (text === undefined || !text.startsWith(MANIFEST_STREAM_PREFIX)) continue;
    try {
      yield parseOciDigest(text.slice(MANIFEST_STREAM_PREFIX.length));
    } catch {
      // The name of something else.
    }
  }
}
