import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { StreamNames } from '../../composefs/repository/names/streams.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import type { Repository } from '../../composefs/repository/repository.js';
import type { ZstdEncode } from '../../compression/zstd/encode.js';
import { runInTurns } from '../../threads/turns.js';
import { extractDiffIds } from '../model/diff-ids.js';
import type { OciDigest } from '../model/digest.js';
import { type ImageManifest, isContainerImage, type ManifestDocument } from '../model/manifest.js';
import { type ConfigRefs, configRefsOf, findConfig, type LinkedImages, layerRefsInOrder } from './config-stream.js';
import { storeExternalStream } from './external-stream.js';
import {
  BOOT_IMAGE_REF_KEY,
  CONFIG_CONTENT_TYPE,
  configIdentifier,
  configRefKey,
  manifestIdentifier,
} from './identifiers.js';
import type { OciImage } from './image.js';
import { type ManifestLinks, storeManifest } from './manifest-stream.js';
import { findManifest, manifestsOfConfig, otherManifestSteps, type StoredManifest } from './stored-manifests.js';

/** An image or artifact whose layers are stored: what its config and manifest streams are made of. */
export interface ImageContent {
  readonly manifest: ManifestDocument;
  /** The bytes of the config. */
  readonly config: Buffer;
  /** Of each of the manifest's layers: its diff_id, or the digest of the blob in an artifact. */
  readonly keys: readonly string[];
  /** The splitstream of each key. */
  readonly layers: ReadonlyMap<string, ObjectId>;
  /** Blobs of a container image that are kept, by digest. Those that the stored manifest has stay, whatever is here. */
  readonly blobs?: ReadonlyMap<string, ObjectId>;
}

/** The content of a stored image. */
export function contentOf(repo: ReadableRepository, image: OciImage): ImageContent {
  return {
    manifest: { raw: image.readManifestJson(repo), digest: image.manifestDigest, value: image.manifest },
    config: image.readConfigJson(repo),
    keys: image.layerDiffIds(),
    layers: image.layerRefs,
  };
}

/** EROFS images to link. */
export interface ImagesToLink extends LinkedImages {
  /** True: boot images that are linked do not stay. */
  readonly replacesBootImages?: boolean;
}

export interface ImageLinks {
  readonly configVerity: ObjectId;
  readonly manifestVerity: ObjectId;
  /** The EROFS images that the config stream links. */
  readonly images: LinkedImages;
  /** The streams that were stored and have no names yet, in the order in which they are to get them. */
  readonly names: readonly StreamNames[];
  /** What has led somewhere before, and perhaps does not when the names are given: streams and images. */
  readonly superseded: readonly ObjectId[];
  /** Whether the manifest was stored before. */
  readonly wasStored: boolean;
}

/** What is found out of the repository before {@link linkImage}, in turns, as it can take long. */
export interface LinkPreparation {
  /** Stored manifests that have another config. */
  readonly others: ReadonlySet<OciDigest>;
  /** Of the EROFS images that are linked, and may have to stay so, those that are listed and intact. */
  readonly usable: ReadonlySet<ObjectId>;
}

export async function prepareLink(
  repo: ReadableRepository,
  { manifest }: ImageContent,
  find: FindStream = (identifier) => repo.hasStream(identifier),
  signal?: AbortSignal,
): Promise<LinkPreparation> {
  const { digest } = manifest.value.config;
  const others = await runInTurns(otherManifestSteps(repo, digest), signal);
  const usable = new Set<ObjectId>();
  if (hasSharedConfig(repo, manifest, others)) {
    const linked = findConfig(repo, digest, find(configIdentifier(digest)))?.refs;
    for (const id of [linked?.image, linked?.imageV1]) {
      if (id !== undefined && (await isUsableImage(repo, id, signal))) usable.add(id);
    }
  }
  return { others, usable };
}

/** The object of a stream that is named, or is about to be. */
export type FindStream = (identifier: string) => ObjectId | undefined;

/**
 * Stores the config stream of an image and then its manifest stream, each unless what is stored says the same. The JSON
 * in them never changes, only what they link.
 *
 * Every stored manifest of the config gets a stream that leads to the config's new one, too: a collector follows a
 * manifest to the one stream that it names, and that of the reference only if a link leads to it (spec 10 §17.3).
 *
 * Synchronous: between the look at what is stored and the names, which the caller gives next, nothing else of this thread
 * changes the repository.
 *
 * @param prepared by {@link prepareLink}.
 * @param built the EROFS images of the repository's formats; undefined leaves those that are linked as they are. Boot
 *   images of other keys stay linked, and so do images of other formats where other manifests have the same config.
 */
export function linkImage(
  repo: Repository,
  prepared: LinkPreparation,
  content: ImageContent,
  built: ImagesToLink | undefined,
  encode: ZstdEncode,
  find: FindStream = (identifier) => repo.hasStream(identifier),
): ImageLinks {
  const { manifest } = content;
  const configDigest = manifest.value.config.digest;
  const names: StreamNames[] = [];
  const superseded = new Set<ObjectId>();
  const name = (id: ObjectId, contentIdentifier: string): void => {
    const before = find(contentIdentifier);
    if (before !== undefined && before !== id) superseded.add(before);
    names.push({ id, contentIdentifier });
  };

  const { id: kept, images, namedRefs, replaced } = configToLink(repo, prepared, content, built, find);
  const configVerity = kept ?? storeExternalStream(repo, CONFIG_CONTENT_TYPE, content.config, namedRefs, encode);
  if (kept === undefined) {
    name(configVerity, configIdentifier(configDigest));
    for (const id of replaced) superseded.add(id);
    for (const stored of manifestsOfConfig(repo, configDigest, prepared.others)) {
      const layers = manifestLayers(stored, content.config, new Map(namedRefs));
      const isThis = stored.digest === manifest.digest;
      if (isThis || leadsTo(stored, configDigest, configVerity) || layers === undefined) continue;
      const id = storeManifest(repo, stored.data, { configDigest, configVerity, layers }, encode);
      name(id, manifestIdentifier(stored.digest));
    }
  }

  const stored = findManifest(repo, manifest.digest);
  const blobs = keptBlobs(manifest.value, content.keys, stored?.namedRefs, content.blobs);
  const layers = [...layerRefsInOrder([...new Set(content.keys)], content.layers), ...blobs];
  const links = { configDigest, configVerity, layers };
  const before = find(manifestIdentifier(manifest.digest));
  const isLinked = before !== undefined && stored !== undefined && hasLinks(stored, links);
  const manifestVerity = isLinked ? before : storeManifest(repo, manifest.raw, links, encode);
  if (!isLinked) name(manifestVerity, manifestIdentifier(manifest.digest));
  return { configVerity, manifestVerity, images, names, superseded: [...superseded], wasStored: stored !== undefined };
}

interface ConfigToLink {
  /** The stream that has these links already. */
  readonly id?: ObjectId;
  readonly images: LinkedImages;
  readonly namedRefs: readonly (readonly [string, ObjectId])[];
  /** What the stored stream links and the new one does not, but for boot images. */
  readonly replaced: readonly ObjectId[];
}

/**
 * Artifacts often share the config `{}`: the first one's stream stays, and each manifest stream holds its own artifact's
 * layers (spec 40, B-7).
 */
function configToLink(
  repo: Repository,
  prepared: LinkPreparation,
  { manifest, keys, layers }: ImageContent,
  built: ImagesToLink | undefined,
  find: FindStream,
): ConfigToLink {
  const { digest } = manifest.value.config;
  const stored = findConfig(repo, digest, find(configIdentifier(digest)));
  const wantedLayers = layerRefsInOrder(keys, layers);
  const isContainer = isContainerImage(manifest.value);
  const isSame = stored !== undefined && hasLayers(stored.refs, wantedLayers);
  const linked = isSame ? stored.refs : undefined;
  const images = isContainer ? imagesToLink(repo, prepared, manifest, built, linked) : {};
  const namedRefs = configRefsOf(wantedLayers, images);
  const isKept = stored !== undefined && (!isContainer || (isSame && hasImages(stored.refs, images)));
  const wanted = new Set(namedRefs.map(([, id]) => id));
  // A boot image may be what a machine boots from: the next garbage collection takes it, as its user knows.
  const before = [...(stored?.namedRefs ?? [])].filter(([key]) => !key.startsWith(BOOT_IMAGE_REF_KEY));
  const replaced = before.map(([, id]) => id).filter((id) => !wanted.has(id));
  return { ...(isKept && { id: stored.id }), images, namedRefs, replaced };
}

function imagesToLink(
  repo: Repository,
  { others: otherManifests, usable }: LinkPreparation,
  manifest: ManifestDocument,
  built: ImagesToLink | undefined,
  linked: ConfigRefs | undefined,
): LinkedImages {
  if (built === undefined) return linked ?? {};
  const kept = built.replacesBootImages === true ? [] : (linked?.bootImages ?? []);
  const bootImages = new Map([...kept, ...(built.bootImages ?? [])]);
  const others: LinkedImages = linked !== undefined && hasSharedConfig(repo, manifest, otherManifests) ? linked : {};
  const ifUsable = (id: ObjectId | undefined): ObjectId | undefined =>
    id !== undefined && usable.has(id) ? id : undefined;
  const image = built.image ?? ifUsable(others.image);
  const imageV1 = built.imageV1 ?? ifUsable(others.imageV1);
  return { image, imageV1, bootImages };
}

/** Whether an image is listed and intact. */
export async function isUsableImage(repo: ReadableRepository, id: ObjectId, signal?: AbortSignal): Promise<boolean> {
  return repo.hasImage(id) && (await runInTurns(repo.objects.isIntactSteps(id), signal));
}

/** Whether another container image that is stored has the same config, and so the same stream with links to images. */
function hasSharedConfig(
  repo: ReadableRepository,
  { digest, value }: ManifestDocument,
  others: ReadonlySet<OciDigest>,
): boolean {
  for (const other of manifestsOfConfig(repo, value.config.digest, others)) {
    if (other.digest !== digest && isContainerImage(other.manifest)) return true;
  }
  return false;
}

/** Whether the stored config stream has these layers; more do no harm. */
export function hasLayers(
  { layerRefs }: ConfigRefs,
  wanted: readonly (readonly [key: string, id: ObjectId])[],
): boolean {
  return wanted.every(([key, id]) => layerRefs.get(key) === id);
}

function hasImages(refs: ConfigRefs, { image, imageV1, bootImages = new Map() }: LinkedImages): boolean {
  if (refs.image !== image || refs.imageV1 !== imageV1 || refs.bootImages.size !== bootImages.size) return false;
  return [...bootImages].every(([key, id]) => refs.bootImages.get(key) === id);
}

function hasLinks(stored: StoredManifest, { configDigest, configVerity, layers }: ManifestLinks): boolean {
  return leadsTo(stored, configDigest, configVerity) && layers.every(([key, id]) => stored.namedRefs.get(key) === id);
}

function leadsTo({ namedRefs }: StoredManifest, configDigest: OciDigest, configVerity: ObjectId): boolean {
  return namedRefs.get(configRefKey(configDigest)) === configVerity;
}

/**
 * The blobs of layers that have other keys, in the order of the manifest. The reference knows no such refs, and keeps
 * them.
 */
function keptBlobs(
  manifest: ImageManifest,
  keys: readonly string[],
  stored: ReadonlyMap<string, ObjectId> | undefined,
  added?: ReadonlyMap<string, ObjectId>,
): (readonly [string, ObjectId])[] {
  const digests = [...new Set(manifest.layers.map(({ digest }) => digest))].filter((digest) => !keys.includes(digest));
  return digests.flatMap((digest) => {
    const id = added?.get(digest) ?? stored?.get(digest);
    return id === undefined ? [] : [[digest, id] as const];
  });
}

/** The layers of a stored manifest in the order of its stream: those of the config where it has them. */
function manifestLayers(
  { manifest, namedRefs }: StoredManifest,
  config: Buffer,
  configRefs: ReadonlyMap<string, ObjectId>,
): (readonly [string, ObjectId])[] | undefined {
  try {
    const keys = new Set(extractDiffIds(manifest.config.mediaType, config, manifest.layers));
    const refs = isContainerImage(manifest) ? new Map([...namedRefs, ...configRefs]) : namedRefs;
    return [...layerRefsInOrder([...keys], refs), ...keptBlobs(manifest, [...keys], namedRefs)];
  } catch {
    // A damaged manifest stays as it is.
    return undefined;
  }
}
