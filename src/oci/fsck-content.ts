import type { ObjectId } from '../composefs/fsverity/object-id.js';
import { listEntries } from '../composefs/repository/category.js';
import { tryNameText } from '../composefs/repository/directory-entries.js';
import type { LongCallOptions, Repository } from '../composefs/repository/repository.js';
import { readExternalStream } from './external-stream.js';
import type { OciFsckError } from './fsck-error.js';
import {
  BLOB_CONTENT_TYPE,
  blobIdentifier,
  CONFIG_CONTENT_TYPE,
  configIdentifier,
  LAYER_CONTENT_TYPE,
  layerContentId,
  MANIFEST_CONTENT_TYPE,
  manifestIdentifier,
} from './identifiers.js';
import { isTarLayer } from './layer/media-type.js';
import { type OciDigest, parseOciDigest, sha256ContentDigest } from './model/digest.js';
import { isContainerImage } from './model/manifest.js';
import { storedManifests } from './stored-manifests.js';
import { WorkerPool } from './worker/pool.js';
import { type VerifyLayerInput, verifyStoredLayer } from './worker/verify-layer.js';

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
  repo: Repository,
  layers: readonly UncheckedLayer[],
  { threads = repo.writeConcurrency, signal }: LongCallOptions,
): Promise<OciFsckError[]> {
  const pool = threads === 0 || layers.length === 0 ? undefined : new WorkerPool(threads);
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

const prefixOf = (identifier: (digest: OciDigest) => string): string => identifier('' as OciDigest);

/**
 * Checks the documents among the streams at once, and collects the layers. What cannot be read is a finding of the
 * check of the repository.
 *
 * @param checked names of documents that are left out.
 */
export function checkStreamNames(
  repo: Repository,
  checked: ReadonlySet<string>,
): { errors: OciFsckError[]; layers: UncheckedLayer[] } {
  const errors: OciFsckError[] = [];
  const layers: UncheckedLayer[] = [];
  const unpacked = unpackedTars(repo);
  for (const entry of listEntries(repo, 'streams')) {
    const name = tryNameText(entry.name);
    if (name === undefined || checked.has(name)) continue;
    const mismatch = (detail: string): OciFsckError => ({ type: 'stream-digest-mismatch', name, detail });
    for (const [identifier, contentType] of DOCUMENTS) {
      const digest = digestIn(name, prefixOf(identifier));
      const found = digest === undefined ? undefined : documentDigest(repo, name, contentType);
      if (found !== undefined && found !== digest) errors.push(mismatch(`expected ${digest}, got ${found}`));
    }
    const digest = digestIn(name, prefixOf(layerContentId)) ?? digestIn(name, prefixOf(blobIdentifier));
    const layer = digest === undefined ? undefined : openedLayer(repo, name);
    if (digest === undefined || layer === undefined || unpacked.get(layer.verity)?.has(digest) === true) continue;
    layers.push({ ...layer, digest, finding: mismatch });
  }
  return { errors, layers };
}

const DOCUMENTS = [
  [manifestIdentifier, MANIFEST_CONTENT_TYPE],
  [configIdentifier, CONFIG_CONTENT_TYPE],
] as const;

function documentDigest(repo: Repository, name: string, contentType: bigint): OciDigest | undefined {
  try {
    return sha256ContentDigest(readExternalStream(repo, name, contentType).data);
  } catch {
    return undefined;
  }
}

function openedLayer(repo: Repository, name: string): { verity: ObjectId; contentType: bigint } | undefined {
  try {
    const verity = repo.hasStream(name);
    if (verity === undefined) return undefined;
    const reader = repo.openStream(name, verity);
    const { contentType } = reader;
    reader.close();
    return contentType === LAYER_CONTENT_TYPE || contentType === BLOB_CONTENT_TYPE
      ? { verity, contentType }
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The unpacked tars of artifacts with the digests of their blobs: the reference gives them the names of these (spec 40
 * §4.9), and as long as only artifacts use them there is nothing wrong.
 */
function unpackedTars(repo: Repository): Map<ObjectId, Set<string>> {
  const tars = new Map<ObjectId, Set<string>>();
  for (const { manifest, namedRefs } of storedManifests(repo)) {
    if (isContainerImage(manifest)) continue;
    for (const { digest, mediaType } of manifest.layers) {
      const id = namedRefs.get(digest);
      if (id === undefined || !isTarLayer(mediaType)) continue;
      tars.set(id, (tars.get(id) ?? new Set()).add(digest));
    }
  }
  return tars;
}
