import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import { listEntries } from '../../composefs/repository/names/category.js';
import { openStreamSteps } from '../../composefs/repository/names/open-stream.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { tryNameText } from '../../fs/directory-entries.js';
import type { LongCallOptions } from '../../threads/jobs.js';
import type { Steps } from '../../threads/turns.js';
import { type VerifyLayerInput, verifyStoredLayer } from '../import/layer/verify-layer.js';
import { importPool } from '../import/threads/import-pool.js';
import { contentDigestLike, type OciDigest, parseOciDigest } from '../model/digest.js';
import { isContainerImage } from '../model/manifest.js';
import { isTarLayer } from '../model/media-types.js';
import { readExternalStream } from '../store/external-stream.js';
import {
  BLOB_CONTENT_TYPE,
  blobIdentifier,
  CONFIG_CONTENT_TYPE,
  configIdentifier,
  LAYER_CONTENT_TYPE,
  layerContentId,
  MANIFEST_CONTENT_TYPE,
  manifestIdentifier,
} from '../store/identifiers.js';
import { storedManifests } from '../store/stored-manifests.js';
import type { OciFsckError } from './fsck-error.js';

/** Whether the content of what is stored is that of the digest in its name. */

/** A layer or blob whose content is still to be hashed. */
export interface UncheckedLayer {
  readonly verity: ObjectId;
  readonly digest: string;
  readonly contentType: bigint;
  /** Makes a finding of what is wrong. */
  readonly finding: (detail: string) => OciFsckError;
}

/** Hashes each layer once, in worker threads, and gives the findings in the order of the layers. */
export async function checkLayerContents(
  repo: ReadableRepository,
  layers: readonly UncheckedLayer[],
  { threads = repo.writeConcurrency, signal }: LongCallOptions,
): Promise<OciFsckError[]> {
  const pool = threads === 0 || layers.length === 0 ? undefined : importPool(threads);
  try {
    const problems = new Map<string, Promise<{ readonly problem?: string }>>();
    const results = layers.map(async ({ verity, digest, contentType, finding }) => {
      const key = `${verity} ${contentType} ${digest}`;
      const input: VerifyLayerInput = { store: repo.objects.options, verity, digest, contentType };
      const running = problems.get(key) ?? pool?.run('verify-layer', input, { signal });
      const checked = running ?? Promise.resolve(verifyStoredLayer(input));
      problems.set(key, checked);
      const { problem } = await checked;
      return problem === undefined ? [] : [finding(problem)];
    });
    return (await Promise.all(results)).flat();
  } finally {
    await pool?.close();
  }
}

/** The digest that the name of an entry ends with, if it is one of ours. */
function digestIn(name: string, prefix: string): OciDigest | undefined {
  if (!name.startsWith(prefix)) return undefined;
  try {
    return parseOciDigest(name.slice(prefix.length));
  } catch {
    return undefined;
  }
}

/**
 * Checks the documents among the streams at once, and collects the layers. What cannot be read is a finding of the
 * check of the repository.
 *
 * @param isWanted whether the entry of this name is to be checked.
 */
export function* streamNameSteps(
  repo: ReadableRepository,
  isWanted: (name: string) => boolean,
): Steps<{ readonly errors: OciFsckError[]; readonly layers: UncheckedLayer[] }> {
  const errors: OciFsckError[] = [];
  const layers: UncheckedLayer[] = [];
  const unpacked = yield* unpackedTarSteps(repo);
  for (const entry of listEntries(repo, 'streams')) {
    yield;
    const name = tryNameText(entry.name);
    const named = name === undefined ? undefined : namedContent(name);
    if (name === undefined || named === undefined || !isWanted(name)) continue;
    const { digest, contentTypes } = named;
    const stream = yield* openedStreamSteps(repo, name);
    if (stream === undefined) continue;
    const mismatch = (detail: string): OciFsckError => ({ type: 'stream-digest-mismatch', name, detail });
    const { contentType, verity } = stream;
    if (!contentTypes.includes(contentType)) errors.push(mismatch('Invalid splitstream content type'));
    else if (contentType === MANIFEST_CONTENT_TYPE || contentType === CONFIG_CONTENT_TYPE) {
      const found = documentDigest(repo, name, contentType, digest);
      if (found !== undefined && found !== digest) errors.push(mismatch(`expected ${digest}, got ${found}`));
    } else if (unpacked.get(verity)?.has(digest) !== true) layers.push({ ...stream, digest, finding: mismatch });
  }
  return { errors, layers };
}

/** The kinds of entries whose names end with the digest of what they lead to. */
const CONTENT_NAMES = [
  { prefix: prefixOf(manifestIdentifier), contentTypes: [MANIFEST_CONTENT_TYPE] },
  { prefix: prefixOf(configIdentifier), contentTypes: [CONFIG_CONTENT_TYPE] },
  { prefix: prefixOf(layerContentId), contentTypes: [LAYER_CONTENT_TYPE, BLOB_CONTENT_TYPE] },
  { prefix: prefixOf(blobIdentifier), contentTypes: [BLOB_CONTENT_TYPE] },
];

/** What the name of an entry says; undefined for names that are not of ours. */
function namedContent(name: string): { digest: OciDigest; contentTypes: readonly bigint[] } | undefined {
  for (const { prefix, contentTypes } of CONTENT_NAMES) {
    const digest = digestIn(name, prefix);
    if (digest !== undefined) return { digest, contentTypes };
  }
  return undefined;
}

function prefixOf(identifier: (digest: OciDigest) => string): string {
  return identifier('' as OciDigest);
}

function documentDigest(
  repo: ReadableRepository,
  name: string,
  contentType: bigint,
  like: OciDigest,
): OciDigest | undefined {
  try {
    return contentDigestLike(like, readExternalStream(repo, name, contentType).data);
  } catch {
    return undefined;
  }
}

function* openedStreamSteps(
  repo: ReadableRepository,
  name: string,
): Steps<{ readonly verity: ObjectId; readonly contentType: bigint } | undefined> {
  try {
    const verity = repo.hasStream(name);
    if (verity === undefined) return undefined;
    const reader = yield* openStreamSteps(repo, name, { id: verity });
    reader.close();
    return { verity, contentType: reader.contentType };
  } catch {
    return undefined;
  }
}

/**
 * The unpacked tars of artifacts with the digests of their blobs: the reference gives them the names of these (spec 40
 * §4.9), and as long as only artifacts use them there is nothing wrong.
 */
function* unpackedTarSteps(repo: ReadableRepository): Steps<Map<ObjectId, Set<string>>> {
  const tars = new Map<ObjectId, Set<string>>();
  for (const { manifest, namedRefs } of storedManifests(repo)) {
    yield;
    if (isContainerImage(manifest)) continue;
    for (const { digest, mediaType } of manifest.layers) {
      const id = namedRefs.get(digest);
      if (id === undefined || !isTarLayer(mediaType)) continue;
      tars.set(id, (tars.get(id) ?? new Set()).add(digest));
    }
  }
  return tars;
}
