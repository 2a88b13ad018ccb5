import { errorCode, withContextAsync } from '../../errors.js';
import { MAX_JSON_BYTES, MAX_MANIFEST_BYTES } from '../../json/json.js';
import { BlobError } from '../blob/blob-error.js';
import { DownloadSlots } from '../blob/download-slots.js';
import type { LayerBlob } from '../blob/layer-blob.js';
import { checkBlobLimit } from '../blob/verified-read.js';
import type { MissingHelperError } from '../containers-config/credential-helper.js';
import type { RegistryConfigOptions } from '../containers-config/registry-config.js';
import type { RetryObserver, RetryPolicy } from '../http/retry.js';
import type { HttpTimeouts } from '../http/timeouts.js';
import type { Descriptor } from '../model/descriptor.js';
import type { OciDigest } from '../model/digest.js';
import { parseIndex } from '../model/index-document.js';
import { type ManifestDocument, parseManifest } from '../model/manifest.js';
import { isIndexMediaType, isManifestMediaType } from '../model/media-types.js';
import { hostPlatform, type Platform } from '../model/platform.js';
import {
  formatRegistryReference,
  parseRegistryReference,
  type RegistryReference,
} from '../model/registry-reference.js';
import { RegistryClient } from '../registry/client.js';
import { resolveEndpoints } from '../registry/endpoint.js';
import {
  type EndpointData,
  endpointData,
  type TransportSettings,
  transportSettings,
} from '../registry/endpoint-data.js';
import { ForeignUrls } from '../registry/foreign-urls.js';
import { explainMissing } from '../registry/missing-manifest.js';
import type { PartialStoreOptions } from '../registry/partial-store.js';
import { fetchReferrers } from '../registry/referrers-api.js';
import { RegistryLayer, type RegistryLayerPlace } from '../registry/registry-layer.js';
import { fetchSignatures } from '../registry/signature-tag.js';
import type { AttachedSignature } from '../signatures/check-policy.js';
import { type PolicyIdentity, registryIdentity } from '../signatures/policy-scope.js';
import type { ImageSource, SourceContext } from './image-source.js';
import { requirePlatform, resolveManifest } from './resolve.js';
import { pullingContext } from './source-context.js';

export interface RegistrySourceOptions {
  /** Which image of an index: the host's, if undefined. An image that is in no index is checked only if this is given. */
  readonly platform?: Platform | undefined;
  /** Where configuration and credentials are. Default: where podman has them. */
  readonly config?: RegistryConfigOptions | undefined;
  readonly timeouts?: Partial<HttpTimeouts> | undefined;
  readonly retry?: Partial<RetryPolicy> | undefined;
  /** Where to keep layers that are not complete yet. */
  readonly partial?: PartialStoreOptions | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly observe?: RetryObserver;
  /** Bounds the transfers; one object may serve several images. */
  readonly downloads?: DownloadSlots | undefined;
}

/** An image in a registry: `docker://HOST[:PORT]/NAME[:TAG][@DIGEST]`. A digest counts more than a tag beside it. */
export class RegistrySource implements ImageSource {
  readonly reference: string;
  readonly via = 'registry';
  readonly context: SourceContext;
  readonly identity: PolicyIdentity;
  readonly #reference: RegistryReference;
  readonly #options: RegistrySourceOptions;
  readonly #settings: TransportSettings;
  readonly #client: RegistryClient;
  readonly #foreign: ForeignUrls;
  readonly #downloads: DownloadSlots;
  /** That it would have credentials matters only if the registry wants some. */
  readonly #missingHelper: MissingHelperError | undefined;

  private constructor(
    reference: RegistryReference,
    endpoints: readonly EndpointData[],
    settings: TransportSettings,
    options: RegistrySourceOptions,
    missingHelper: MissingHelperError | undefined,
  ) {
    this.#missingHelper = missingHelper;
    this.reference = formatRegistryReference(reference);
    this.context = pullingContext({ transport: 'registry', name: this.reference });
    this.identity = registryIdentity(reference);
    this.#reference = reference;
    this.#options = options;
    this.#settings = settings;
    const { signal, observe } = options;
    this.#client = new RegistryClient({ endpoints, settings, signal, ...(observe !== undefined && { observe }) });
    this.#foreign = new ForeignUrls(this.#client.endpoints, settings);
    this.#downloads = options.downloads ?? new DownloadSlots();
  }

  /** Reads the configuration and the credentials; the registry is not asked yet. */
  static async open(text: string, options: RegistrySourceOptions = {}): Promise<RegistrySource> {
    const reference = parseRegistryReference(text);
    const config = options.config ?? {};
    const endpoints = resolveEndpoints(reference, config);
    const settings = transportSettings({ config, timeouts: options.timeouts, retry: options.retry });
    // Given credentials are for the registry itself, and not for its mirrors.
    const host = endpoints.find(({ isMirror }) => !isMirror)?.host;
    const { credentials } = config;
    const own = credentials === undefined ? config : { ...config, credentials: { ...credentials, host } };
    let missingHelper: MissingHelperError | undefined;
    const onMissing = (error: MissingHelperError): void => {
      missingHelper ??= error;
    };
    const data = await Promise.all(endpoints.map((endpoint) => endpointData(endpoint, own, onMissing)));
    return new RegistrySource(reference, data, settings, options, missingHelper);
  }

  async manifest(): Promise<ManifestDocument> {
    const { tag, digest } = this.#reference;
    return await withContextAsync(`Reading the manifest of ${this.reference}`, async () => {
      const { raw, kind } = await this.#client.manifest(tag ?? 'latest', digest).catch(async (error: unknown) => {
        if (this.#missingHelper !== undefined && isRefusal(error)) throw this.#missingHelper.withCause(error);
        throw await explainMissing(error, this.#client, digest === undefined ? (tag ?? 'latest') : undefined);
      });
      const { platform } = this.#options;
      const readBlob = this.readBlob.bind(this);
      if (kind === 'manifest') return await requirePlatform(parseManifest(raw), platform, readBlob);
      const index = parseIndex(raw, MAX_MANIFEST_BYTES).value;
      return await resolveManifest(index, readBlob, { platform: platform ?? hostPlatform() });
    });
  }

  async readBlob(descriptor: Descriptor, maxBytes: number = MAX_JSON_BYTES): Promise<Buffer> {
    const { mediaType, digest, size } = descriptor;
    checkBlobLimit(digest, size, maxBytes);
    return await withContextAsync(`Reading blob ${digest}`, async () => {
      if (!isManifestMediaType(mediaType) && !isIndexMediaType(mediaType)) return await this.#client.blob(descriptor);
      const { raw } = await this.#client.manifest(digest, digest);
      if (raw.length === size) return raw;
      throw new BlobError('BLOB_SIZE_MISMATCH', digest, `Expected size ${size} but found ${raw.length}`);
    });
  }

  layer(descriptor: Descriptor): LayerBlob {
    const place = (): RegistryLayerPlace => ({
      endpoints: this.#client.endpoints,
      foreign: this.#foreign,
      retry: this.#settings.retry,
      partial: this.#options.partial,
    });
    return new RegistryLayer(descriptor, place, this.#downloads);
  }

  expectLayers(count: number): void {
    // The first layer gets the connection that the config comes over.
    const connections = Math.min(count, this.#downloads.limits.perHost) - 1;
    this.#client.endpoints[0]?.prepare(connections);
  }

  async referrers(subject: OciDigest): Promise<readonly Descriptor[]> {
    return await withContextAsync(`Listing the referrers of ${subject}`, () => fetchReferrers(this.#client, subject));
  }

  async signatures(subject: OciDigest): Promise<readonly AttachedSignature[]> {
    return await withContextAsync(`Reading the signatures of ${subject}`, () => fetchSignatures(this.#client, subject));
  }

  async close(): Promise<void> {
    this.#client.close();
    this.#foreign.close();
  }
}

function isRefusal(error: unknown): boolean {
  return ['UNAUTHORIZED', 'DENIED'].includes(errorCode(error));
}
