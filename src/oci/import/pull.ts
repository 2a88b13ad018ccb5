import { availableParallelism } from 'node:os';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { Repository } from '../../composefs/repository/repository.js';
import { ComposefsError, withContext, withContextAsync } from '../../errors.js';
import { nullReporter, type ProgressReporter } from '../../progress.js';
import type { RegistryConfigOptions } from '../containers-config/registry-config.js';
import type { RetryObserver, RetryPolicy } from '../http/retry.js';
import type { HttpTimeouts } from '../http/timeouts.js';
import type { LayerRules } from '../layer/layer-rules.js';
import type { Descriptor } from '../model/descriptor.js';
import { extractDiffIds } from '../model/diff-ids.js';
import type { OciDigest } from '../model/digest.js';
import type { LayerLimits } from '../model/layer-limits.js';
import { type ImageManifest, isContainerImage, isDelta, type ManifestDocument } from '../model/manifest.js';
import type { Platform } from '../model/platform.js';
import { DownloadSlots } from '../registry/download-slots.js';
import { partialStoreOptions } from '../registry/partial-store.js';
import type { Transfer } from '../registry/use-blob.js';
import { checkPolicy, PolicyRejection } from '../signatures/check-policy.js';
import { imageIdentity, referrerIdentity } from '../signatures/image-identity.js';
import { loadPolicy } from '../signatures/load-policy.js';
import type { Policy } from '../signatures/policy.js';
import type { ImageSource } from '../sources/image-source.js';
import { importContext, openSource, parseSourceReference } from '../sources/open-source.js';
import { readReferrers } from '../sources/read-referrers.js';
import { layerRefsInOrder, readConfigStream, sortConfigRefs } from '../store/config-stream.js';
import { configIdentifier, configRefKey } from '../store/identifiers.js';
import { OciImage } from '../store/image.js';
import { linkConfig } from '../store/link-config.js';
import { hasManifest, type ManifestLinks, readManifestStream, writeManifestRaw } from '../store/manifest-stream.js';
import { addReferrer } from '../store/referrers.js';
import { tagImage, validateTag } from '../store/tags.js';
import { ensureComposefsErofs, requireLinkableFormat } from './erofs-images.js';
import type { ImportStats } from './import-stats.js';
import { importLayers, type LayerImport, type PulledLayer, pairLayers } from './layer-importer.js';
import { oneAtATime } from './one-at-a-time.js';
import { WorkerPool } from './pool.js';

export interface PullOptions {
  /** Event sink; by default events are dropped. */
  readonly progress?: ProgressReporter | undefined;
  /** Which image of an index to take; the host's by default. */
  readonly platform?: Platform | undefined;
  /** Stops the pull; layers that are complete by then stay. */
  readonly signal?: AbortSignal | undefined;
  /** Worker threads; by default one a CPU, or for a registry as many as `downloads` lets work. */
  readonly concurrency?: number | undefined;
  /** Where the configuration and the credentials of registries are; by default where podman has them. */
  readonly registry?: RegistryConfigOptions | undefined;
  /** How long to wait for registries. */
  readonly timeouts?: Partial<HttpTimeouts> | undefined;
  /** How often, and when, to ask a registry in trouble again. */
  readonly retry?: Partial<RetryPolicy> | undefined;
  /** Bounds the transfers from registries; one object may serve several pulls. */
  readonly downloads?: DownloadSlots | undefined;
  /** Read the image with skopeo, whatever its transport is. By default skopeo is used only where it has to be. */
  readonly via?: 'skopeo' | undefined;
  /** A policy.json that decides which images are accepted; by default the user's or the system's, if there is one. */
  readonly signaturePolicy?: string | undefined;
  /** Bring the artifacts that refer to the image, too: signatures, SBOMs. */
  readonly referrers?: boolean | undefined;
  /** By which rules the layers become the image's tree; given, an image that is linked already is built again. */
  readonly layerRules?: LayerRules | undefined;
  /** How large a layer may be; there are bounds by default. */
  readonly layerLimits?: LayerLimits | undefined;
}

export interface PullResult {
  readonly manifestDigest: OciDigest;
  /** The manifest's splitstream as it is linked now, after the EROFS images were linked. */
  readonly manifestVerity: ObjectId;
  readonly configDigest: OciDigest;
  readonly configVerity: ObjectId;
  readonly stats: ImportStats;
  /** What came from a registry, and what an earlier pull had kept of the same layers. */
  readonly transfer: Transfer;
  /** The image's layers, in order; a layer that is in it twice is there twice. */
  readonly layers: readonly PulledLayer[];
  /** The EROFS images that are linked now; none of an artifact. */
  readonly images: readonly PulledImage[];
  /** The manifests of the referrers that are stored now, if they were wanted. */
  readonly referrers: readonly OciDigest[];
}

export interface PulledImage {
  /** Of the format; 1 stands for 0 as well, which has the same place. */
  readonly version: 1 | 2;
  readonly id: ObjectId;
}

/**
 * Brings an image or artifact into the repository (spec 40 §4): fetches what is missing, checks every digest, size and
 * diff_id, stores layers, config and manifest, builds the EROFS images of the repository's formats, and last of all
 * tags it as `tag`. A pull that fails leaves no tag; the layers that were complete stay for the next try.
 *
 * @param imgref `docker://HOST/NAME[:TAG][@DIGEST]` or without the transport, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`,
 *   `docker-archive:FILE[:TAG]`, `dir:DIR`; with skopeo installed, whatever it knows.
 */
export async function pull(
  repo: Repository,
  imgref: string,
  tag?: string,
  options: PullOptions = {},
): Promise<PullResult> {
  repo.ensureWritable();
  requireLinkableFormat(repo.erofsVersion);
  if (tag !== undefined) validateTag(tag);
  const { platform, signal, timeouts, retry, registry: config } = options;
  const policy = loadPolicy(options.signaturePolicy, config);
  const { signaturePolicy: file } = options;
  // skopeo does not work without a policy, and finds ours only if it is the user's or the system's.
  const skopeoPolicy = policy === undefined ? 'none' : file === undefined ? undefined : { file };
  const partial = partialStoreOptions(repo.root);
  const observe: RetryObserver = (error, delayMs) => {
    const text = `${error.message}; trying again in ${(delayMs / 1000).toFixed(1)} s`;
    options.progress?.report({ type: 'message', text });
  };
  const registry = { config, timeouts, retry, partial, signal, observe };
  parseSourceReference(imgref);
  const source = await inImport(imgref, signal, () =>
    openSource(imgref, { platform, signal, registry, via: options.via, skopeoPolicy }),
  );
  try {
    const accept = policy === undefined ? undefined : policyCheck(policy, imgref, source);
    return await pullFrom(repo, source, tag, options, accept);
  } catch (error) {
    // Whatever failed because of the signal.
    signal?.throwIfAborted();
    throw error;
  } finally {
    await source.close();
  }
}

/** Runs a part of a pull; its errors get the context of the whole, but that of the signal. */
async function inImport<T>(imgref: string, signal: AbortSignal | undefined, action: () => Promise<T>): Promise<T> {
  return await withContextAsync(importContext(imgref), action).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw error;
  });
}

function policyCheck(policy: Policy, imgref: string, source: ImageSource): AcceptManifest {
  const reference = parseSourceReference(imgref);
  // A source in a registry knows the complete name.
  const complete = reference.transport === 'registry' ? { ...reference, name: source.reference } : reference;
  const identity = imageIdentity(complete, source.realPath);
  const fetchSignatures = source.signatures?.bind(source);
  return async ({ digest }, isReferrer) => {
    const known = isReferrer ? referrerIdentity(identity, digest) : identity;
    await checkPolicy(policy, { identity: known, digest, fetchSignatures });
  };
}

/**
 * Throws if the image of a manifest is not to be pulled. A referrer of the image, which nobody has named, is left out for
 * a PolicyRejection.
 */
export type AcceptManifest = (manifest: ManifestDocument, isReferrer: boolean) => Promise<void>;

/**
 * {@link pull} from an open source. No signature policy is read: `accept` decides, before anything else of the image
 * is fetched.
 */
export async function pullFrom(
  repo: Repository,
  source: ImageSource,
  tag: string | undefined,
  options: Omit<PullOptions, 'signaturePolicy'>,
  accept: AcceptManifest = async () => undefined,
): Promise<PullResult> {
  const downloads = options.downloads ?? new DownloadSlots();
  // Nothing that is stored on the way may be collected by another call on this instance, and the repository stays open
  // until the last thread has ended.
  return await repo.hold(async () => {
    const pool = new WorkerPool(options.concurrency ?? threadsFor(source, downloads));
    try {
      const { signal, progress = nullReporter, layerRules, layerLimits: limits } = options;
      const context = { repo, source, pool, downloads, progress, signal, limits };
      const { manifestDigest, stats, layers } = await inImport(source.reference, signal, async () => {
        const manifest = await source.manifest();
        await accept(manifest, false);
        return await storeImageOnce(manifest, context);
      });
      const referrers = options.referrers === true ? await storeReferrers(manifestDigest, context, accept) : [];
      const imageOptions = { tag, signal, pool, progress, layerRules };
      const image = await ensureComposefsErofs(repo, manifestDigest, undefined, imageOptions);
      if (image === undefined && tag !== undefined) tagImage(repo, manifestDigest, tag);
      repo.syncNames();
      const stored = OciImage.open(repo, manifestDigest);
      const { manifestVerity, configDigest, configVerity } = stored;
      const transfer = sumOf(layers);
      const images = linkedImages(stored);
      return { manifestDigest, manifestVerity, configDigest, configVerity, stats, transfer, layers, images, referrers };
    } finally {
      await pool.close();
    }
  });
}

function sumOf(layers: readonly PulledLayer[]): Transfer {
  let [fetchedBytes, resumedBytes] = [0, 0];
  for (const { transfer } of layers) {
    fetchedBytes += transfer.fetchedBytes;
    resumedBytes += transfer.resumedBytes;
  }
  return { fetchedBytes, resumedBytes };
}

function linkedImages(image: OciImage): PulledImage[] {
  return ([1, 2] as const).flatMap((version) => {
    const id = image.imageRef(version);
    return id === undefined ? [] : [{ version, id }];
  });
}

function threadsFor(source: ImageSource, { limits }: DownloadSlots): number {
  const transfers = source.isRemote === true ? Math.min(limits.total, limits.perHost) : 1;
  return Math.max(availableParallelism(), transfers);
}

type StoreContext = Omit<LayerImport, 'isContainer' | 'manifest'>;

interface StoredImage {
  readonly manifestDigest: OciDigest;
  readonly stats: ImportStats;
  readonly layers: readonly PulledLayer[];
}

/** {@link storeImage}; what another pull of this process is storing is waited for, and then there. */
function storeImageOnce(manifest: ManifestDocument, store: StoreContext): Promise<StoredImage> {
  return oneAtATime(store.repo, `manifest ${manifest.digest}`, store.signal, () => storeImage(manifest, store));
}

/** Stores layers, config and manifest: no EROFS images, no tag. */
async function storeImage(
  { raw, digest: manifestDigest, value: manifest }: ManifestDocument,
  store: StoreContext,
): Promise<StoredImage> {
  const { repo, source, progress, signal } = store;
  refuseDelta(manifest);
  const { digest } = manifest.config;
  const isContainer = isContainerImage(manifest);
  const context = { ...store, isContainer, manifest: manifestDigest };
  const content = `Failed to ${source.isRemote ? 'pull' : 'import'} image content for manifest ${manifestDigest}`;
  const { config, keys, refs, stats, layers } = await withContextAsync(content, async () => {
    const config = await readConfig(repo, source, manifest.config, progress);
    const keys = withContext(`Failed to parse config ${digest}`, () =>
      extractDiffIds(manifest.config.mediaType, config, manifest.layers),
    );
    return { config, keys, ...(await importLayers(pairLayers(keys, manifest.layers), context)) };
  });
  signal?.throwIfAborted();
  const configVerity = await storeConfig(repo, manifest, config, layerRefsInOrder(keys, refs));
  const links = {
    configDigest: manifest.config.digest,
    configVerity,
    layers: layerRefsInOrder([...new Set(keys)], refs),
  };
  if (isStored(repo, manifestDigest, links)) {
    progress.report({ type: 'message', text: `Already have manifest ${manifestDigest}` });
  } else {
    progress.report({ type: 'message', text: `Storing manifest ${manifestDigest}` });
    await writeManifestRaw(repo, raw, manifestDigest, links);
  }
  return { manifestDigest, stats, layers };
}

/** Stores the artifacts that refer to `subject`, and that they do. */
async function storeReferrers(subject: OciDigest, store: StoreContext, accept: AcceptManifest): Promise<OciDigest[]> {
  const { repo, source, progress } = store;
  // The totals of the progress display are those of the image.
  const messages: ProgressReporter = { report: (event) => event.type === 'message' && progress.report(event) };
  const stored: OciDigest[] = [];
  for await (const document of readReferrers(source, subject, messages)) {
    try {
      await accept(document, true);
    } catch (error) {
      if (!(error instanceof PolicyRejection)) throw error;
      messages.report({ type: 'message', text: `Ignoring referrer ${document.digest}: ${error.message}` });
      continue;
    }
    const { manifestDigest } = await storeImageOnce(document, { ...store, progress: messages });
    addReferrer(repo, subject, manifestDigest);
    stored.push(manifestDigest);
  }
  return stored;
}

function refuseDelta(manifest: ImageManifest): void {
  if (!isDelta(manifest)) return;
  throw new ComposefsError('UNSUPPORTED_DELTA', 'The image is an OCI delta artifact, which cannot be applied', {
    hint: 'pull the full image instead',
  });
}

/** The config's bytes: the stored ones where they are intact, else those of the source. */
async function readConfig(
  repo: Repository,
  source: ImageSource,
  descriptor: Descriptor,
  progress: ProgressReporter,
): Promise<Buffer> {
  if (repo.hasStream(configIdentifier(descriptor.digest)) !== undefined) {
    try {
      const { data } = readConfigStream(repo, descriptor.digest);
      progress.report({ type: 'message', text: `Already have container config ${descriptor.digest}` });
      return data;
    } catch {
      // A damaged config is fetched and stored again.
    }
  }
  progress.report({ type: 'message', text: `Fetching config ${descriptor.digest}` });
  const context = `Failed to ${source.isRemote ? 'fetch' : 'read'} config ${descriptor.digest}`;
  return await withContextAsync(context, () => source.readBlob(descriptor));
}

/**
 * Stores the config, unless the stored one has these layers already. Artifacts often share the config `{}`: the first
 * one's stream stays, and each manifest stream holds its own artifact's layers (spec 40, B-7).
 */
async function storeConfig(
  repo: Repository,
  manifest: ImageManifest,
  config: Buffer,
  layers: readonly (readonly [string, ObjectId])[],
): Promise<ObjectId> {
  const { digest } = manifest.config;
  const existing = repo.hasStream(configIdentifier(digest));
  if (existing !== undefined) {
    try {
      const { layerRefs } = sortConfigRefs(readConfigStream(repo, digest).namedRefs);
      const hasLayers = layers.every(([key, id]) => layerRefs.get(key) === id);
      if (hasLayers || !isContainerImage(manifest)) return existing;
    } catch {
      // A damaged config is stored again.
    }
  }
  return await linkConfig(repo, digest, config, layers);
}

/** True if the manifest is stored intact and points at this config and these layers. */
function isStored(repo: Repository, digest: OciDigest, links: ManifestLinks): boolean {
  if (hasManifest(repo, digest) === undefined) return false;
  try {
    const { namedRefs } = readManifestStream(repo, digest);
    const wanted = [[configRefKey(links.configDigest), links.configVerity] as const, ...links.layers];
    return wanted.every(([key, id]) => namedRefs.get(key) === id);
  } catch {
    // A damaged manifest is stored again.
    return false;
  }
}
