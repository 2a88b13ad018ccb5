import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { StreamNames } from '../../composefs/repository/names/streams.js';
import { isWholeStream } from '../../composefs/repository/names/whole-stream.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { layerDigest, verifyLayer } from '../layer/layer-content.js';
import type { Descriptor } from '../model/descriptor.js';
import type { OciDigest } from '../model/digest.js';
import { isContainerImage } from '../model/manifest.js';
import { isTarLayer } from '../model/media-types.js';
import { BLOB_CONTENT_TYPE, blobIdentifier, LAYER_CONTENT_TYPE, layerContentId } from '../store/identifiers.js';
import { findManifest, storedManifests } from '../store/stored-manifests.js';
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
 *
 * @param manifest the image that is wanted; looked at before the others.
 */
export function findLayer(repo: ReadableRepository, diffId: OciDigest, manifest?: OciDigest): ObjectId | undefined {
  const id = repo.hasStream(layerContentId(diffId));
  if (id === undefined || !isWholeStream(repo, id, LAYER_CONTENT_TYPE)) return undefined;
  return isNamedByImage(repo, diffId, id, manifest) || hasDigest(repo, id, diffId) ? id : undefined;
}

function isNamedByImage(
  repo: ReadableRepository,
  diffId: OciDigest,
  id: ObjectId,
  first: OciDigest | undefined,
): boolean {
  const own = first === undefined ? undefined : findManifest(repo, first);
  for (const { manifest, namedRefs } of own === undefined ? storedManifests(repo) : [own, ...storedManifests(repo)]) {
    if (namedRefs.get(diffId) === id && isContainerImage(manifest)) return true;
  }
  return false;
}

/**
 * The stored layer of an artifact; undefined if it is not there or damaged. An unpacked tar is found only if the very
 * artifact is stored: its manifest's stream alone tells which tar a compressed blob contains.
 */
export function findArtifactLayer(
  repo: ReadableRepository,
  layer: Descriptor,
  manifest: OciDigest,
): ObjectId | undefined {
  const named = findManifest(repo, manifest)?.namedRefs.get(layer.digest);
  if (isTarLayer(layer.mediaType)) {
    return named !== undefined && isWholeStream(repo, named, LAYER_CONTENT_TYPE) ? named : undefined;
  }
  const links = [layerContentId(layer.digest), blobIdentifier(layer.digest)].map((name) => repo.hasStream(name));
  return [named, ...links].find((id) => id !== undefined && isWholeStream(repo, id, BLOB_CONTENT_TYPE));
}

/**
 * The names that a new layer is to get, in their order.
 *
 * @param key its diff_id, or the digest of an artifact's blob.
 */
export function layerNames(repo: ReadableRepository, { id, diffId }: StoredLayer, key: OciDigest): StreamNames[] {
  const digest = diffId ?? key;
  const identifier = layerContentId(digest);
  const present = repo.hasStream(identifier);
  if (diffId === undefined && present !== undefined && isWholeStream(repo, present, LAYER_CONTENT_TYPE)) {
    return [{ id, contentIdentifier: blobIdentifier(digest) }];
  }
  const displaced = present === undefined || present === id ? undefined : otherName(repo, present, digest);
  return [...(displaced === undefined ? [] : [displaced]), { id, contentIdentifier: identifier }];
}

/** The right name of what had the name of another layer, so that a collector that goes by names keeps it. */
function otherName(repo: ReadableRepository, id: ObjectId, digest: OciDigest): StreamNames | undefined {
  let name: string;
  if (isWholeStream(repo, id, BLOB_CONTENT_TYPE)) name = blobIdentifier(digest);
  else {
    const found = isWholeStream(repo, id, LAYER_CONTENT_TYPE) ? digestOf(repo, id) : undefined;
    if (found === undefined || found === digest) return undefined;
    name = layerContentId(found);
  }
  return repo.hasStream(name) === undefined ? { id, contentIdentifier: name } : undefined;
}

function hasDigest(repo: ReadableRepository, id: ObjectId, diffId: OciDigest): boolean {
  try {
    verifyLayer(repo.objects, id, diffId);
    return true;
  } catch {
    return false;
  }
}

/** Undefined if it cannot be read. */
function digestOf(repo: ReadableRepository, id: ObjectId): OciDigest | undefined {
  try {
    return layerDigest(repo.objects, id);
  } catch {
    return undefined;
  }
}
