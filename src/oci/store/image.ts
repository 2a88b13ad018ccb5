import type { FormatVersion } from '../../composefs/erofs/format/constants.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { Mount } from '../../composefs/mount/mount-handle.js';
import { mountImage, mountImageAt } from '../../composefs/mount/mount-image.js';
import type { MountOptions } from '../../composefs/mount/options.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import type { Directory } from '../../composefs/tree/inode.js';
import { ComposefsError } from '../../errors.js';
import { type ImageConfiguration, parseConfig } from '../model/config.js';
import type { Descriptor } from '../model/descriptor.js';
import type { OciDigest } from '../model/digest.js';
import { artifactType, type ImageManifest, isContainerImage, parseManifest } from '../model/manifest.js';
import { isTarMediaType } from '../model/media-types.js';
import type { XattrFiltering } from '../tree/transform.js';
import { type ConfigRefs, sortConfigRefs } from './config-stream.js';
import { notAContainerImage, OciErofsNotFound, OciImageNotFound } from './errors.js';
import { readExternalStream } from './external-stream.js';
import {
  bootImageRefKey,
  CONFIG_CONTENT_TYPE,
  configIdentifier,
  configRefKey,
  MANIFEST_CONTENT_TYPE,
  manifestIdentifier,
} from './identifiers.js';
import { type LinkedErofsImage, linkedImagesOf } from './linked-images.js';
import { hasManifest, readManifestStream } from './manifest-stream.js';
import { resolveRef } from './tags.js';

/** What of a stored image is trusted. */
export interface OpenImageOptions {
  /**
   * The manifest's stream, as its user knows it from a trusted place. Without it the stored bytes are compared with the
   * digest.
   */
  readonly manifestVerity?: ObjectId | undefined;
}

/** An immutable snapshot of one stored manifest and its config (spec 40 §14.4). */
export class OciImage {
  readonly manifestDigest: OciDigest;
  readonly manifestVerity: ObjectId;
  readonly manifest: ImageManifest;
  readonly configVerity: ObjectId;
  /** Undefined for artifacts. */
  readonly config: ImageConfiguration | undefined;
  /** Layer key (diff_id; blob digest for artifacts) to the layer's splitstream. */
  readonly layerRefs: ReadonlyMap<string, ObjectId>;
  /** Blob digest of a container image's layer to the stream of the blob, for those that were kept as they were pulled. */
  readonly blobRefs: ReadonlyMap<string, ObjectId>;
  readonly #refs: ConfigRefs;

  private constructor(
    manifestDigest: OciDigest,
    manifestVerity: ObjectId,
    manifest: ImageManifest,
    configVerity: ObjectId,
    config: ImageConfiguration | undefined,
    layerRefs: ReadonlyMap<string, ObjectId>,
    blobRefs: ReadonlyMap<string, ObjectId>,
    refs: ConfigRefs,
  ) {
    this.manifestDigest = manifestDigest;
    this.manifestVerity = manifestVerity;
    this.manifest = manifest;
    this.configVerity = configVerity;
    this.config = config;
    this.layerRefs = layerRefs;
    this.blobRefs = blobRefs;
    this.#refs = refs;
  }

  /**
   * Opens a stored image: by digest, checking the manifest's content, or by a trusted stream, without.
   *
   * @throws OciImageNotFound if there is no such manifest.
   */
  static open(repo: ReadableRepository, digest: OciDigest, { manifestVerity }: OpenImageOptions = {}): OciImage {
    const current = manifestVerity ?? hasManifest(repo, digest);
    if (current === undefined) throw new OciImageNotFound(digest);
    const stored = readManifestStream(repo, digest, manifestVerity);
    const manifest = parseManifest(stored.data).value;
    const configVerity = stored.namedRefs.get(configRefKey(manifest.config.digest));
    if (configVerity === undefined) {
      throw new ComposefsError('CONFIG_REF_MISSING', `Manifest missing config reference to ${manifest.config.digest}`);
    }
    const identifier = configIdentifier(manifest.config.digest);
    const storedConfig = readExternalStream(repo, identifier, CONFIG_CONTENT_TYPE, configVerity);
    const refs = sortConfigRefs(storedConfig.namedRefs);
    const isContainer = isContainerImage(manifest);
    const ofManifest = manifestLayerRefs(manifest, stored.namedRefs);
    return new OciImage(
      digest,
      current,
      manifest,
      configVerity,
      isContainer ? parseConfig(storedConfig.data).value : undefined,
      isContainer ? refs.layerRefs : ofManifest,
      isContainer ? ofManifest : new Map(),
      refs,
    );
  }

  /** Opens the image that a tag points at. */
  static openRef(repo: ReadableRepository, tag: string): OciImage {
    const [digest, manifestVerity] = resolveRef(repo, tag);
    return OciImage.open(repo, digest, { manifestVerity });
  }

  /** The digest of the config, as the manifest has it. */
  get configDigest(): OciDigest {
    return this.manifest.config.digest;
  }

  /** False for artifacts: anything whose config is not an image config. */
  isContainerImage(): boolean {
    return this.config !== undefined;
  }

  /** What an artifact is, as its manifest says; undefined for a container image. */
  artifactType(): string | undefined {
    return artifactType(this.manifest);
  }

  /** The stream of a layer. @param key its diff_id; of an artifact the digest of its blob. */
  layerVerity(key: string): ObjectId | undefined {
    return this.layerRefs.get(key);
  }

  /** The config's diff_ids in order; none for artifacts. */
  layerDiffIds(): readonly string[] {
    return this.config?.rootfs.diff_ids ?? [];
  }

  /** The layers as the manifest lists them, from the lowest up. */
  layerDescriptors(): readonly Descriptor[] {
    return this.manifest.layers;
  }

  /** The linked EROFS image of a format; V0 and V1 share a slot, and no format stands in for another. */
  imageRef(version: FormatVersion): ObjectId | undefined {
    return version === 2 ? this.#refs.image : this.#refs.imageV1;
  }

  /** The linked boot image of a format and xattr mode; no other stands in for it. */
  bootImageRef(version: FormatVersion, mode: XattrFiltering = 'allowlist-only'): ObjectId | undefined {
    return this.#refs.bootImages.get(bootImageRefKey(version, mode));
  }

  /** All linked boot images, by their full key. */
  bootImageRefs(): ReadonlyMap<string, ObjectId> {
    return this.#refs.bootImages;
  }

  /**
   * The linked image of the repository's format: the boot image of the mode `allowlist-only`, or the plain one.
   *
   * @throws OciErofsNotFound; ComposefsError `NOT_A_CONTAINER_IMAGE`
   */
  erofsImageRef(repo: ReadableRepository, bootable: boolean): ObjectId {
    if (!this.isContainerImage()) throw notAContainerImage(this.manifestDigest, this.manifest);
    const id = bootable ? this.bootImageRef(repo.erofsVersion) : this.imageRef(repo.erofsVersion);
    if (id === undefined) throw new OciErofsNotFound(this.manifestDigest, bootable);
    return id;
  }

  /** Whether one of the linked images, plain or boot, is `id`. */
  hasErofsId(id: ObjectId): boolean {
    return this.allErofsImages().some((image) => image.id === id);
  }

  /** V2, V1, then the boot images by their keys. */
  allErofsImages(): LinkedErofsImage[] {
    return linkedImagesOf(this.#refs);
  }

  /** {@link allErofsImages} if `id` is one of them, else none. */
  linkedErofsImages(id: ObjectId): LinkedErofsImage[] {
    return this.hasErofsId(id) ? this.allErofsImages() : [];
  }

  /**
   * The tree of the linked image, read from it and not from the layers. The plain image of a bootable one has the original
   * `/boot`.
   *
   * @throws OciErofsNotFound; ErofsReaderError
   */
  async readFilesystem(
    repo: ReadableRepository,
    bootable: boolean,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Directory> {
    return await repo.readImageTree(this.erofsImageRef(repo, bootable), options);
  }

  /**
   * Mounts the linked image.
   *
   * @returns the descriptor of a mount that is not attached anywhere; closing it undoes the mount.
   * @throws OciErofsNotFound; SystemError
   */
  mount(repo: ReadableRepository, bootable: boolean, options: MountOptions = {}): number {
    return mountImage(repo, this.erofsImageRef(repo, bootable), options);
  }

  /** {@link mount}, attached at a directory that exists. */
  mountAt(repo: ReadableRepository, bootable: boolean, path: string, options: MountOptions = {}): Mount {
    return mountImageAt(repo, this.erofsImageRef(repo, bootable), path, options);
  }

  /** Empty for artifacts. */
  architecture(): string {
    return this.config?.architecture ?? '';
  }

  /** Empty for artifacts. */
  os(): string {
    return this.config?.os ?? '';
  }

  /** When the image was made: text as in the config, RFC 3339. */
  created(): string | undefined {
    return this.config?.created ?? undefined;
  }

  /** The labels of the config; undefined of an artifact, and where there are none. */
  labels(): Readonly<Record<string, string>> | undefined {
    return this.config?.config?.Labels ?? undefined;
  }

  /** One of the {@link labels}. */
  label(key: string): string | undefined {
    const labels = this.labels();
    return labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
  }

  /** The stored bytes of this snapshot; they stay readable after a rewrite until the old stream is collected. */
  readManifestJson(repo: ReadableRepository): Buffer {
    const identifier = manifestIdentifier(this.manifestDigest);
    return readExternalStream(repo, identifier, MANIFEST_CONTENT_TYPE, this.manifestVerity).data;
  }

  /** As {@link readManifestJson}, of the config. */
  readConfigJson(repo: ReadableRepository): Buffer {
    return readExternalStream(repo, configIdentifier(this.configDigest), CONFIG_CONTENT_TYPE, this.configVerity).data;
  }

  /**
   * A read-only descriptor of an artifact's layer: the object that is the blob. The caller closes it.
   *
   * @throws ComposefsError for an index out of range and for tar layers, which are splitstreams.
   */
  openLayerFd(repo: ReadableRepository, index: number): number {
    const layer = this.manifest.layers[index];
    if (layer === undefined) throw new ComposefsError('INVALID_ARGUMENT', `Layer index ${index} out of range`);
    if (isTarMediaType(layer.mediaType)) {
      throw new ComposefsError(
        'INVALID_ARGUMENT',
        `open_layer_fd does not support tar layers (media type: ${layer.mediaType}); use the splitstream API instead`,
      );
    }
    const verity = this.layerRefs.get(layer.digest);
    if (verity === undefined) throw new ComposefsError('MISSING_LAYER', `No verity for layer ${layer.digest}`);
    const reader = repo.openStream('', { id: verity });
    try {
      const [id, ...others] = reader.objectRefs;
      if (id === undefined || others.length > 0) {
        throw new ComposefsError(
          'INVALID_STREAM',
          `Expected exactly 1 external ref for artifact layer, got ${reader.objectRefs.length}`,
        );
      }
      return repo.objects.openObject(id);
    } finally {
      reader.close();
    }
  }
}

/** The named refs of a manifest stream whose keys are digests of its layers. */
export function manifestLayerRefs(
  manifest: ImageManifest,
  namedRefs: ReadonlyMap<string, ObjectId>,
): Map<string, ObjectId> {
  const refs = new Map<string, ObjectId>();
  for (const { digest } of manifest.layers) {
    const id = namedRefs.get(digest);
    if (id !== undefined) refs.set(digest, id);
  }
  return refs;
}
