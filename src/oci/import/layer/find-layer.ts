import type { ObjectId } from '../../../composefs/fsverity/object-id.js';
import type { StreamNames } from '../../../composefs/repository/names/streams.js';
import { wholeStreamSteps } from '../../../composefs/repository/names/whole-stream.js';
import type { ReadableRepository } from '../../../composefs/repository/readable-repository.js';
import { runInTurns, type Steps } from '../../../threads/turns.js';
import { layerDigestSteps, verificationSteps } from '../../layer/layer-content.js';
import type { Descriptor } from '../../model/descriptor.js';
import type { OciDigest } from '../../model/digest.js';
import { isContainerImage } from '../../model/manifest.js';
import { isTarLayer } from '../../model/media-types.js';
import { BLOB_CONTENT_TYPE, blobIdentifier, LAYER_CONTENT_TYPE, layerContentId } from '../../store/identifiers.js';
import { findManifest, type StoredManifest, storedManifests } from '../../store/stored-manifests.js';
import type { StoredLayer } from './store-tar.js';

/**
 * What is stored of layers, and under which names.
 *
 * `oci-layer-<digest>` is the tar of that digest, whoever brought it. A blob of an artifact that is no tar has that name
 * too, as in the reference (spec 40 §1.1), but gives it up to a tar of the same digest and is `oci-blob-<digest>` then. A
 * compressed tar of an artifact is stored unpacked, as the reference does it, and so has the name of the unpacked tar
 * and not that of the blob: else the name would mean one thing for artifacts and another for images.
 */

/**
 * The stored tar of a diff_id; undefined if it is not there, damaged, or another tar. The content is hashed unless a
 * container image that is stored names it by this diff_id: the import of that one has done so.
 */
export async function findLayer(
  repo: ReadableRepository,
  diffId: OciDigest,
  { manifest, signal }: FindLayerOptions = {},
): Promise<ObjectId | undefined> {
  return await runInTurns(layerSteps(repo, diffId, manifest), signal);
}

export interface FindLayerOptions {
  /** The image that is wanted; looked at before the others. */
  readonly manifest?: OciDigest | undefined;
  readonly signal?: AbortSignal | undefined;
}

function* layerSteps(
  repo: ReadableRepository,
  diffId: OciDigest,
  manifest: OciDigest | undefined,
): Steps<ObjectId | undefined> {
  const id = repo.hasStream(layerContentId(diffId));
  if (id === undefined || !(yield* wholeStreamSteps(repo, id, LAYER_CONTENT_TYPE))) return undefined;
  const isRight = (yield* namedByImageSteps(repo, diffId, id, manifest)) || (yield* digestCheckSteps(repo, id, diffId));
  return isRight ? id : undefined;
}

function* namedByImageSteps(
  repo: ReadableRepository,
  diffId: OciDigest,
  id: ObjectId,
  first: OciDigest | undefined,
): Steps<boolean> {
  const names = ({ manifest, namedRefs }: StoredManifest): boolean =>
    namedRefs.get(diffId) === id && isContainerImage(manifest);
  const own = first === undefined ? undefined : findManifest(repo, first);
  if (own !== undefined && names(own)) return true;
  for (const stored of storedManifests(repo)) {
    yield;
    if (names(stored)) return true;
  }
  return false;
}

/**
 * The stored layer of an artifact; undefined if it is not there or damaged. An unpacked tar is found only if the very
 * artifact is stored: its manifest's stream alone tells which tar a compressed blob contains.
 */
export async function findArtifactLayer(
  repo: ReadableRepository,
  layer: Descriptor,
  { manifest, signal }: FindLayerOptions & { readonly manifest: OciDigest },
): Promise<ObjectId | undefined> {
  const named = findManifest(repo, manifest)?.namedRefs.get(layer.digest);
  const isTar = isTarLayer(layer.mediaType);
  const links = isTar ? [] : [layerContentId(layer.digest), blobIdentifier(layer.digest)];
  for (const id of [named, ...links.map((name) => repo.hasStream(name))]) {
    if (id === undefined) continue;
    const contentType = isTar ? LAYER_CONTENT_TYPE : BLOB_CONTENT_TYPE;
    if (await runInTurns(wholeStreamSteps(repo, id, contentType), signal)) return id;
  }
  return undefined;
}

/**
 * The names that a new layer is to get, in their order.
 *
 * @param key its diff_id, or the digest of an artifact's blob.
 */
export async function layerNames(repo: ReadableRepository, layer: StoredLayer, key: OciDigest): Promise<StreamNames[]> {
  return await runInTurns(layerNameSteps(repo, layer, key));
}

function* layerNameSteps(repo: ReadableRepository, { id, diffId }: StoredLayer, key: OciDigest): Steps<StreamNames[]> {
  const digest = diffId ?? key;
  const identifier = layerContentId(digest);
  const present = repo.hasStream(identifier);
  if (diffId === undefined && present !== undefined && (yield* wholeStreamSteps(repo, present, LAYER_CONTENT_TYPE))) {
    return [{ id, contentIdentifier: blobIdentifier(digest) }];
  }
  const displaced = present === undefined || present === id ? undefined : yield* otherNameSteps(repo, present, digest);
  return [...(displaced === undefined ? [] : [displaced]), { id, contentIdentifier: identifier }];
}

/** The right name of what had the name of another layer, so that a collector that goes by names keeps it. */
function* otherNameSteps(repo: ReadableRepository, id: ObjectId, digest: OciDigest): Steps<StreamNames | undefined> {
  let name: string;
  if (yield* wholeStreamSteps(repo, id, BLOB_CONTENT_TYPE)) name = blobIdentifier(digest);
  else {
    const isLayer = yield* wholeStreamSteps(repo, id, LAYER_CONTENT_TYPE);
    const found = isLayer ? yield* digestSteps(repo, id) : undefined;
    if (found === undefined || found === digest) return undefined;
    name = layerContentId(found);
  }
  return repo.hasStream(name) === undefined ? { id, contentIdentifier: name } : undefined;
}

function* digestCheckSteps(repo: ReadableRepository, id: ObjectId, diffId: OciDigest): Steps<boolean> {
  try {
    yield* verificationSteps(repo.objects, id, diffId);
    return true;
  } catch {
    return false;
  }
}

/** Undefined if it cannot be read. */
function* digestSteps(repo: ReadableRepository, id: ObjectId): Steps<OciDigest | undefined> {
  try {
    return yield* layerDigestSteps(repo.objects, id);
  } catch {
    return undefined;
  }
}
