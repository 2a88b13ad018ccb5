import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import type { Repository } from '../../composefs/repository/repository.js';
import { ComposefsError } from '../../errors.js';
import { type ImageConfiguration, parseConfig } from '../model/config.js';
import { contentDigestLike, type OciDigest, sha256ContentDigest } from '../model/digest.js';
import { serialiseConfig } from '../model/serialise.js';
import type { ContentAndVerity } from './content-and-verity.js';
import { type ExternalStream, readExternalStream, writeExternalStream } from './external-stream.js';
import {
  BOOT_IMAGE_REF_KEY,
  CONFIG_CONTENT_TYPE,
  configIdentifier,
  IMAGE_REF_KEY,
  IMAGE_REF_KEY_V1,
} from './identifiers.js';

/** The EROFS images that a config stream links by named refs. */
export interface LinkedImages {
  /** V2 image. */
  readonly image?: ObjectId | undefined;
  /** V1 image. */
  readonly imageV1?: ObjectId | undefined;
  /** Boot images by their full key; absent = none. */
  readonly bootImages?: ReadonlyMap<string, ObjectId>;
}

/** The named refs of a config stream, sorted out (spec 40 §1.4). */
export interface ConfigRefs extends LinkedImages {
  /** diff_id (or blob digest of an artifact's layer) to the layer's splitstream. */
  readonly layerRefs: ReadonlyMap<string, ObjectId>;
  readonly bootImages: ReadonlyMap<string, ObjectId>;
}

/** A stored config, and what its stream links. */
export interface OpenConfig extends ConfigRefs {
  readonly config: ImageConfiguration;
  /** The bytes as received. */
  readonly raw: Buffer;
}

/** Splits named refs into layers, images and boot images. */
export function sortConfigRefs(namedRefs: ReadonlyMap<string, ObjectId>): ConfigRefs {
  const layerRefs = new Map<string, ObjectId>();
  const bootImages = new Map<string, ObjectId>();
  for (const [key, id] of namedRefs) {
    if (key === IMAGE_REF_KEY || key === IMAGE_REF_KEY_V1) continue;
    (key.startsWith(BOOT_IMAGE_REF_KEY) ? bootImages : layerRefs).set(key, id);
  }
  return {
    layerRefs,
    image: namedRefs.get(IMAGE_REF_KEY),
    imageV1: namedRefs.get(IMAGE_REF_KEY_V1),
    bootImages,
  };
}

/**
 * Reads a stored config of any media type: by name, checking its digest, or by a trusted `verity`, without.
 *
 * @throws ComposefsError `DIGEST_MISMATCH` if the stored bytes are not those of `digest`.
 */
export function readConfigStream(repo: ReadableRepository, digest: OciDigest, verity?: ObjectId): ExternalStream {
  const stream = readExternalStream(repo, configIdentifier(digest), CONFIG_CONTENT_TYPE, verity);
  if (verity === undefined) {
    const found = contentDigestLike(digest, stream.data);
    if (found !== digest) {
      throw new ComposefsError('DIGEST_MISMATCH', `Config integrity check failed: expected ${digest}, got ${found}`);
    }
  }
  return stream;
}

/** A stored config of any media type with its digest checked, and the stream that holds it. */
export interface StoredConfig extends ExternalStream {
  readonly id: ObjectId;
  readonly refs: ConfigRefs;
}

/** @param id of the stream; undefined, as the result is then, if there is none. Undefined if it is damaged, too. */
export function findConfig(
  repo: ReadableRepository,
  digest: OciDigest,
  id: ObjectId | undefined = repo.hasStream(configIdentifier(digest)),
): StoredConfig | undefined {
  if (id === undefined) return undefined;
  try {
    const stream = readConfigStream(repo, digest, id);
    if (contentDigestLike(digest, stream.data) !== digest) return undefined;
    return { ...stream, id, refs: sortConfigRefs(stream.namedRefs) };
  } catch {
    return undefined;
  }
}

/** What of a stored config is trusted. */
export interface OpenConfigOptions {
  /**
   * The config's stream, as its user knows it from a trusted place. Without it the stored bytes are compared with the
   * digest.
   */
  readonly configVerity?: ObjectId | undefined;
}

/**
 * Opens an image config (spec 40 §14.3). Its layer refs can be trusted only if `configVerity` was given; otherwise
 * the caller checks the layers' content against their diff_ids.
 */
export function openConfig(
  repo: ReadableRepository,
  digest: OciDigest,
  { configVerity }: OpenConfigOptions = {},
): OpenConfig {
  const { data, namedRefs } = readConfigStream(repo, digest, configVerity);
  return { config: parseConfig(data).value, raw: data, ...sortConfigRefs(namedRefs) };
}

/** Serialises and stores a config. `refs` maps each diff_id to its layer's splitstream; extra keys are ignored. */
export async function writeConfig(
  repo: Repository,
  config: ImageConfiguration,
  refs: ReadonlyMap<string, ObjectId>,
  images: LinkedImages = {},
): Promise<ContentAndVerity> {
  return await writeConfigRaw(repo, serialiseConfig(config), refs, images);
}

/**
 * Stores a config's bytes, always writing the stream anew: `images` is the complete set of links to keep.
 *
 * @throws ComposefsError `MISSING_LAYER` if `refs` lacks a diff_id of the config.
 */
export async function writeConfigRaw(
  repo: Repository,
  json: Buffer,
  refs: ReadonlyMap<string, ObjectId>,
  images: LinkedImages = {},
): Promise<ContentAndVerity> {
  const layers = layerRefsInOrder(parseConfig(json).value.rootfs.diff_ids, refs);
  return await writeConfigStream(repo, json, configRefsOf(layers, images));
}

/** Layers, then images, in the order of spec 40 §3.2. */
export function configRefsOf(
  layers: readonly (readonly [string, ObjectId])[],
  images: LinkedImages,
): (readonly [string, ObjectId])[] {
  return [...layers, ...imageRefs(images)];
}

/**
 * Stores a config of any media type with its named refs in the given order. Manifests that are stored keep the stream
 * that they name: see `linkImage`.
 */
export async function writeConfigStream(
  repo: Repository,
  json: Buffer,
  namedRefs: Iterable<readonly [string, ObjectId]>,
): Promise<ContentAndVerity> {
  const digest = sha256ContentDigest(json);
  const verity = await writeExternalStream(repo, configIdentifier(digest), CONFIG_CONTENT_TYPE, json, namedRefs);
  return [digest, verity];
}

/** One `[key, layer]` per key, in the keys' order. */
export function layerRefsInOrder(
  keys: readonly string[],
  refs: ReadonlyMap<string, ObjectId>,
): (readonly [string, ObjectId])[] {
  return keys.map((key) => {
    const id = refs.get(key);
    if (id === undefined) {
      const available = JSON.stringify([...refs.keys()]);
      throw new ComposefsError(
        'MISSING_LAYER',
        `missing layer verity for diff_id ${key}. Available keys in refs: ${available}`,
      );
    }
    return [key, id];
  });
}

/** Insertion order of spec 40 §3.2, boot refs in ascending key order. */
function* imageRefs(images: LinkedImages): Generator<readonly [string, ObjectId]> {
  if (images.image !== undefined) yield [IMAGE_REF_KEY, images.image];
  if (images.imageV1 !== undefined) yield [IMAGE_REF_KEY_V1, images.imageV1];
  const bootImages = [...(images.bootImages ?? [])];
  bootImages.sort(([a], [b]) => (a < b ? -1 : 1));
  yield* bootImages;
}
