import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import type { Repository } from '../../composefs/repository/repository.js';
import { loadZstdEncode, type ZstdEncode } from '../../compression/zstd/encode.js';
import { ComposefsError } from '../../errors.js';
import { type OciDigest, sha256ContentDigest } from '../model/digest.js';
import type { ImageManifest } from '../model/manifest.js';
import { serialiseManifest } from '../model/serialise.js';
import type { ContentAndVerity } from './content-and-verity.js';
import { type ExternalStream, readExternalStream, storeExternalStream } from './external-stream.js';
import { configRefKey, MANIFEST_CONTENT_TYPE, manifestIdentifier } from './identifiers.js';
import { tagImage, tagRef, validateTag } from './tags.js';

/** What a manifest stream points at, besides the manifest itself. */
export interface ManifestLinks {
  readonly configDigest: OciDigest;
  /** The config's splitstream. */
  readonly configVerity: ObjectId;
  /** Layer key (diff_id; blob digest for artifacts) and splitstream, in diff_id order: the order is in the bytes. */
  readonly layers: readonly (readonly [string, ObjectId])[];
}

/** The splitstream of a stored manifest; undefined if there is none. */
export function hasManifest(repo: ReadableRepository, digest: OciDigest): ObjectId | undefined {
  return repo.hasStream(manifestIdentifier(digest));
}

/**
 * Reads a stored manifest: by name, checking its digest, or by a trusted `verity`, without.
 *
 * @throws ComposefsError `DIGEST_MISMATCH` if the stored bytes are not those of `digest`.
 */
export function readManifestStream(repo: ReadableRepository, digest: OciDigest, verity?: ObjectId): ExternalStream {
  const stream = readExternalStream(repo, manifestIdentifier(digest), MANIFEST_CONTENT_TYPE, verity);
  if (verity === undefined) {
    const found = sha256ContentDigest(stream.data);
    if (found !== digest) {
      throw new ComposefsError('DIGEST_MISMATCH', `Manifest integrity failed: expected ${digest}, got ${found}`);
    }
  }
  return stream;
}

/** Stores a manifest's bytes, replacing the stream of that digest, and tags it. */
export async function writeManifestRaw(
  repo: Repository,
  json: Buffer,
  digest: OciDigest,
  links: ManifestLinks,
  tag?: string,
): Promise<ObjectId> {
  return await repo.hold(async () => {
    const encode = await loadZstdEncode();
    const id = storeManifest(repo, json, links, encode);
    await repo.registerStream(id, manifestIdentifier(digest), tag === undefined ? undefined : tagRef(tag));
    return id;
  });
}

/** Stores the stream of a manifest without a name. Call it inside of {@link Repository.hold}. */
export function storeManifest(repo: Repository, json: Buffer, links: ManifestLinks, encode: ZstdEncode): ObjectId {
  const config = [configRefKey(links.configDigest), links.configVerity] as const;
  return storeExternalStream(repo, MANIFEST_CONTENT_TYPE, json, [config, ...links.layers], encode);
}

/**
 * Serialises and stores a manifest, unless one of that digest is stored already (then only tags it).
 *
 * @throws ComposefsError `DIGEST_MISMATCH` if the serialised form is not that of `digest`.
 */
export async function writeManifest(
  repo: Repository,
  manifest: ImageManifest,
  digest: OciDigest,
  configVerity: ObjectId,
  layers: readonly (readonly [string, ObjectId])[],
  tag?: string,
): Promise<ContentAndVerity> {
  if (tag !== undefined) validateTag(tag);
  const existing = hasManifest(repo, digest);
  if (existing !== undefined) {
    if (tag !== undefined) await tagImage(repo, digest, tag);
    return [digest, existing];
  }
  const json = serialiseManifest(manifest);
  const found = sha256ContentDigest(json);
  if (found !== digest) {
    throw new ComposefsError('DIGEST_MISMATCH', `Manifest digest mismatch: expected ${digest}, got ${found}`);
  }
  const links: ManifestLinks = { configDigest: manifest.config.digest, configVerity, layers };
  return [digest, await writeManifestRaw(repo, json, digest, links, tag)];
}
