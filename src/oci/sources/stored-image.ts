import { statSync } from 'node:fs';
import { MAX_JSON_BYTES, MAX_MANIFEST_BYTES } from '../../json/json.js';
import {
  type ContainerStore,
  type FoundImage,
  type FoundLayer,
  findImage,
  findLayers,
  lockStore,
  type OpenStores,
  openStores,
  PULL_AGAIN_HINT,
  parseStoreReference,
  type StoreChoice,
  StoreError,
  type StoreLock,
  storageEnvironment,
} from '../../storage/index.js';
import { BlobError } from '../blob/blob-error.js';
import { BlobVerifier, checkBlobLimit } from '../blob/verified-read.js';
import type { RegistryConfigOptions } from '../containers-config/registry-config.js';
import { resolveShortName } from '../containers-config/short-name.js';
import type { Descriptor } from '../model/descriptor.js';
import { extractDiffIds } from '../model/diff-ids.js';
import { type OciDigest, parseOciDigest } from '../model/digest.js';
import { parseIndex } from '../model/index-document.js';
import { isContainerImage, type ManifestDocument, parseManifest } from '../model/manifest.js';
import { hostPlatform, type Platform } from '../model/platform.js';
import { repositoryName } from '../model/registry-reference.js';
import { manifestKind } from './manifest-kind.js';
import { requirePlatform, resolveManifest } from './resolve.js';

export interface StoredImageOptions {
  readonly platform?: Platform | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Where the image is, where the reference does not say it. */
  readonly stores?: StoreChoice | undefined;
  /** Says what a short name means, and in which environment stores are looked for. */
  readonly config?: RegistryConfigOptions | undefined;
  /** Told why there is a pause. */
  readonly message?: ((text: string) => void) | undefined;
}

/**
 * An image in a store of containers/storage. As long as it is open the engine that the store belongs to cannot delete its
 * layers: it waits.
 */
export class StoredImage {
  readonly #opened: OpenStores;
  readonly #locks: readonly StoreLock[];
  readonly #found: FoundImage;
  readonly #platform: Platform | undefined;
  #manifest: Promise<ManifestDocument> | undefined;
  #layers: Promise<ReadonlyMap<OciDigest, FoundLayer>> | undefined;

  private constructor(
    opened: OpenStores,
    locks: readonly StoreLock[],
    found: FoundImage,
    platform: Platform | undefined,
  ) {
    this.#opened = opened;
    this.#locks = locks;
    this.#found = found;
    this.#platform = platform;
  }

  /**
   * @param text what follows `containers-storage:`
   * @throws StoreError if there is no store or no such image.
   */
  static async open(text: string, options: StoredImageOptions = {}): Promise<StoredImage> {
    const { store, image } = parseStoreReference(text);
    const { config, platform, stores } = options;
    const opened = openStores(combined(store, stores), storageEnvironment(config?.environment));
    const locks: StoreLock[] = [];
    try {
      await lockAll(opened.stores, 'layers', options, locks);
      const imageLocks: StoreLock[] = [];
      try {
        await lockAll(opened.stores, 'images', options, imageLocks);
        const found = findImage(opened.stores, image, (name) => shortNames(name, config));
        return new StoredImage(opened, locks, found, platform);
      } finally {
        for (const lock of imageLocks) lock.close();
      }
    } catch (error) {
      closeAll(opened, locks);
      throw error;
    }
  }

  /** The store that has the image; its layers may be in others. */
  get store(): ContainerStore {
    return this.#found.store;
  }

  /** Complete names: `quay.io/team/app:1`. */
  get names(): readonly string[] {
    return this.#found.record.names;
  }

  /** The manifest as it came into the store; of a list of several the one for the platform. */
  manifest(): Promise<ManifestDocument> {
    this.#manifest ??= this.#readManifest();
    return this.#manifest;
  }

  /** A config or manifest, checked by its descriptor. @throws BlobError */
  async readBlob(descriptor: Descriptor, maxBytes: number = MAX_JSON_BYTES): Promise<Buffer> {
    const { digest, size } = descriptor;
    checkBlobLimit(digest, size, maxBytes);
    for (const key of [digest, `manifest-${digest}`]) {
      const bytes = this.#bigData(key, maxBytes);
      if (bytes === undefined) continue;
      const verifier = new BlobVerifier(descriptor);
      verifier.update(bytes);
      verifier.finish();
      return bytes;
    }
    const message = `${digest} is not in the store ${this.store.root}`;
    throw new BlobError('BLOB_NOT_FOUND', digest, message, undefined, PULL_AGAIN_HINT);
  }

  /** The layer with that blob in the manifest; undefined if no store has it. */
  async findLayer(blob: OciDigest): Promise<FoundLayer | undefined> {
    this.#layers ??= this.#findLayers();
    return (await this.#layers).get(blob);
  }

  close(): void {
    closeAll(this.#opened, this.#locks);
  }

  async #readManifest(): Promise<ManifestDocument> {
    const { manifestDigest } = this.#found;
    const raw = this.#bigData(manifestDigest === undefined ? 'manifest' : `manifest-${manifestDigest}`);
    if (raw === undefined) {
      throw new StoreError('IMAGE_NOT_IN_STORE', 'the store has no manifest of the image', { hint: PULL_AGAIN_HINT });
    }
    const readBlob = (descriptor: Descriptor, maxBytes: number): Promise<Buffer> => this.readBlob(descriptor, maxBytes);
    const manifest = await this.#resolve(raw, readBlob);
    if (manifestDigest === undefined || manifestDigest === manifest.digest) return manifest;
    const digest = parseOciDigest(manifestDigest);
    const verifier = new BlobVerifier({ digest, size: raw.length });
    verifier.update(raw);
    verifier.finish();
    return manifest;
  }

  async #resolve(
    raw: Buffer,
    readBlob: (descriptor: Descriptor, maxBytes: number) => Promise<Buffer>,
  ): Promise<ManifestDocument> {
    if (manifestKind(raw, `${this.names[0] ?? this.#found.record.id} in ${this.store.root}`) === 'manifest') {
      return await requirePlatform(parseManifest(raw), this.#platform, readBlob);
    }
    const index = parseIndex(raw, MAX_MANIFEST_BYTES).value;
    return await resolveManifest(index, readBlob, { platform: this.#platform ?? hostPlatform() });
  }

  async #findLayers(): Promise<ReadonlyMap<OciDigest, FoundLayer>> {
    const { value } = await this.manifest();
    const layers = new Map<OciDigest, FoundLayer>();
    if (!isContainerImage(value)) return layers;
    const config = await this.readBlob(value.config);
    const diffIds = extractDiffIds(value.config.mediaType, config, value.layers);
    const found = findLayers(this.#opened.stores, diffIds);
    for (const [index, { digest }] of value.layers.entries()) {
      const layer = found.get(diffIds[index] ?? '');
      if (layer !== undefined) layers.set(digest, layer);
    }
    return layers;
  }

  /** Of this image, or of another one: the images of a list are records of their own. */
  #bigData(key: string, maxBytes: number = MAX_MANIFEST_BYTES): Buffer | undefined {
    const { store, record } = this.#found;
    const own = store.bigData(record.id, key, maxBytes);
    if (own !== undefined || key === 'manifest') return own;
    const other = store.images().find(({ bigDataNames }) => bigDataNames.includes(key));
    return other === undefined ? undefined : store.bigData(other.id, key, maxBytes);
  }
}

/** What the reference says comes first; additional stores are those of both. */
function combined(named: StoreChoice, given: StoreChoice = {}): StoreChoice {
  const additionalImageStores = [...(named.additionalImageStores ?? []), ...(given.additionalImageStores ?? [])];
  return { ...given, ...named, additionalImageStores };
}

async function lockAll(
  stores: readonly ContainerStore[],
  of: 'layers' | 'images',
  { signal, message }: StoredImageOptions,
  locks: StoreLock[],
): Promise<void> {
  for (const store of stores) {
    const onWait = (): void => message?.(`Waiting for whoever is changing ${store.root}`);
    locks.push(await lockStore(store, of, { signal, onWait }));
  }
}

function closeAll(opened: OpenStores, locks: readonly StoreLock[]): void {
  for (const lock of locks) lock.close();
  opened.close();
}

/** What registries.conf makes of a short name; nothing where it is of no use. */
function shortNames(name: string, config: RegistryConfigOptions | undefined): string[] {
  try {
    return resolveShortName(name, config).map(repositoryName);
  } catch {
    return [];
  }
}

/** Whether others than this user and root may be able to change the files of a store. */
export function mayBeChangedByOthers({ root }: ContainerStore): boolean {
  const { uid, mode } = statSync(root);
  return !(uid === 0 || uid === process.geteuid?.()) || (mode & 0o022) !== 0;
}
