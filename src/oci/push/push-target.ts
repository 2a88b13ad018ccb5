import { ComposefsError, errorCode } from '../../errors.js';
import { MAX_MANIFEST_BYTES } from '../../json/json.js';
import type { MissingHelperError } from '../containers-config/credential-helper.js';
import type { RegistryConfigOptions } from '../containers-config/registry-config.js';
import { addToIndex, EMPTY_INDEX } from '../export/layout-index.js';
import type { HttpResponse } from '../http/http-response.js';
import { type RetryObserver, type RetryPolicy, withRetries } from '../http/retry.js';
import type { HttpTimeouts } from '../http/timeouts.js';
import type { Descriptor } from '../model/descriptor.js';
import type { OciDigest } from '../model/digest.js';
import type { ManifestDocument } from '../model/manifest.js';
import { OCI_INDEX } from '../model/media-types.js';
import { RegistryError } from '../model/registry-error.js';
import type { RegistryReference } from '../model/registry-reference.js';
import { resolveEndpoints } from '../registry/endpoint.js';
import { EndpointClient, type EndpointRequest } from '../registry/endpoint-client.js';
import { endpointData, type TransportSettings, transportSettings } from '../registry/endpoint-data.js';
import { referrersTag } from '../registry/referrers-api.js';
import { answerer, statusError } from '../registry/status-error.js';
import type { MountSources } from './mount-sources.js';
import { type UploadContent, uploadBlob } from './upload-blob.js';

/** How the registry is reached that an image is sent to. */
export interface PushTargetOptions {
  /** Where configuration and credentials are. Default: where podman has them. */
  readonly registry?: RegistryConfigOptions | undefined;
  readonly timeouts?: Partial<HttpTimeouts> | undefined;
  readonly retry?: Partial<RetryPolicy> | undefined;
  readonly observe?: RetryObserver | undefined;
  /** Bytes of a blob that are sent in one request, at most. Default 64 MiB. */
  readonly chunkSize?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How a blob came to be in the registry. */
export type BlobOutcome = 'uploaded' | 'present' | 'mounted';

const DEFAULT_CHUNK_SIZE = 64 * 1024 * 1024;
/** Each failed attempt at a mount begins an upload. */
const MAX_MOUNT_ATTEMPTS = 2;

/**
 * The repository of a registry that is pushed to. The configuration and the credentials are read; the registry is not asked
 * yet.
 *
 * @throws RegistriesConfError; ComposefsError `REGISTRY_BLOCKED`
 */
export async function openTarget(
  reference: RegistryReference,
  mounts: MountSources,
  options: PushTargetOptions,
): Promise<PushTarget> {
  const { registry: config = {}, timeouts, retry } = options;
  // What is pushed goes to the registry itself.
  const endpoint = resolveEndpoints(reference, config).find(({ isMirror }) => !isMirror);
  if (endpoint === undefined) throw new ComposefsError('INTERNAL', 'a registry has mirrors only');
  const { host, repository } = endpoint;
  const { credentials } = config;
  const own = credentials === undefined ? config : { ...config, credentials: { ...credentials, host } };
  const settings = transportSettings({ timeouts, retry, config });
  const isItself = host === reference.host && repository === reference.repository;
  const usable: MountSources = isItself ? mounts : new Map();
  const others = new Set([...usable.values()].flat());
  const scopes = [`repository:${repository}:pull,push`, ...[...others].map((each) => `repository:${each}:pull`)];
  let missingHelper: MissingHelperError | undefined;
  const data = await endpointData(endpoint, own, (error) => {
    missingHelper = error;
  });
  return new PushTarget(new EndpointClient({ ...data, scopes }, settings), settings, usable, options, missingHelper);
}

export class PushTarget {
  readonly #client: EndpointClient;
  readonly #settings: TransportSettings;
  readonly #mounts: MountSources;
  readonly #options: PushTargetOptions;
  readonly #missingHelper: MissingHelperError | undefined;

  /** @param missingHelper that would have credentials: it matters if the registry wants some. */
  constructor(
    client: EndpointClient,
    settings: TransportSettings,
    mounts: MountSources,
    options: PushTargetOptions,
    missingHelper: MissingHelperError | undefined,
  ) {
    this.#missingHelper = missingHelper;
    this.#client = client;
    this.#settings = settings;
    this.#mounts = mounts;
    this.#options = options;
  }

  /**
   * Brings a blob into the repository, by the least that it takes.
   *
   * @param onProgress told how many bytes the registry has.
   */
  async putBlob(
    content: UploadContent,
    signal: AbortSignal,
    onProgress: (bytes: number) => void,
  ): Promise<BlobOutcome> {
    const { digest } = content.descriptor;
    if (await this.#has(digest, signal)) return 'present';
    for (const from of (this.#mounts.get(digest) ?? []).slice(0, MAX_MOUNT_ATTEMPTS)) {
      if (await this.#mount(digest, from, signal)) return 'mounted';
    }
    const { chunkSize = DEFAULT_CHUNK_SIZE, observe } = this.#options;
    const client = this.#client;
    await uploadBlob(content, { client, retry: this.#settings.retry, chunkSize, signal, observe, onProgress });
    return 'uploaded';
  }

  /**
   * Stores a manifest whose blobs are there, and lists it among the referrers of its subject.
   *
   * @param name a tag, or its digest.
   * @throws RegistryError `BAD_RESPONSE` where the registry has understood another manifest.
   */
  async putManifest({ raw, digest, value }: ManifestDocument, mediaType: string, name: string): Promise<void> {
    const headers = await this.#put(raw, mediaType, name);
    const claimed = headers['docker-content-digest'];
    if (claimed !== undefined && claimed !== digest && claimed.startsWith('sha256:')) {
      throw new RegistryError('BAD_RESPONSE', `${this.#client.host} has stored ${claimed} in place of ${digest}`);
    }
    const { subject, artifactType, config, annotations } = value;
    if (subject === undefined || headers['oci-subject'] !== undefined) return;
    const type = artifactType ?? config.mediaType;
    const entry = { mediaType, digest, size: raw.length, artifactType: type };
    await this.#addReferrer(subject.digest, annotations === undefined ? entry : { ...entry, annotations });
  }

  close(): void {
    this.#client.close();
  }

  async #has(digest: OciDigest, signal: AbortSignal): Promise<boolean> {
    return await this.#ask(`blobs/${digest}`, { method: 'HEAD' }, async (response) => isOk(response), signal);
  }

  /**
   * Whether the registry has taken the blob from another repository. Where it has not, an upload has begun, which nobody
   * needs.
   */
  async #mount(digest: OciDigest, from: string, signal: AbortSignal): Promise<boolean> {
    const query = new URLSearchParams({ mount: digest, from });
    const path = `blobs/uploads/?${query}`;
    return await this.#ask(
      path,
      { method: 'POST' },
      async (response) => {
        response.discard();
        const { location } = response.headers;
        if (response.status === 202 && location !== undefined && URL.canParse(location, response.url.href)) {
          await this.#cancel(new URL(location, response.url), signal);
        }
        return response.status === 201;
      },
      signal,
    );
  }

  async #cancel(upload: URL, signal: AbortSignal): Promise<void> {
    try {
      (await this.#client.requestAt(upload, { method: 'DELETE' }, signal)).discard();
    } catch {
      signal.throwIfAborted();
      // The registry forgets it some day.
    }
  }

  async #put(raw: Buffer, mediaType: string, name: string): Promise<HttpResponse['headers']> {
    const request: EndpointRequest = {
      method: 'PUT',
      headers: { 'content-type': mediaType },
      body: { length: raw.length, chunks: () => [raw] },
    };
    const check = async (response: HttpResponse): Promise<HttpResponse['headers']> => {
      if (response.status < 200 || response.status > 299) throw await pushRefusal(response);
      response.discard();
      return response.headers;
    };
    return await this.#ask(`manifests/${name}`, request, check);
  }

  /**
   * A registry without the referrers API finds referrers under a tag, which clients keep (OCI distribution
   * specification).
   */
  async #addReferrer(subject: OciDigest, referrer: Descriptor): Promise<void> {
    const path = `referrers/${subject}`;
    const headers = { accept: OCI_INDEX };
    const hasApi = await this.#ask(path, { headers }, async (response) => isOk(response));
    if (hasApi) return;
    const tag = referrersTag(subject);
    const index = await this.#ask(`manifests/${tag}`, { headers }, async (response) => {
      if (response.status === 404) {
        response.discard();
        return EMPTY_INDEX;
      }
      if (response.status !== 200) throw await pushRefusal(response);
      return await response.document(MAX_MANIFEST_BYTES);
    });
    const longer = addToIndex(index, referrer, undefined);
    if (!longer.equals(index)) await this.#put(longer, OCI_INDEX, tag);
  }

  /** Makes a request, again where that may help. `use` reads the body of the answer, or discards it. */
  async #ask<T>(
    path: string,
    request: EndpointRequest,
    use: (response: HttpResponse) => Promise<T>,
    signal: AbortSignal | undefined = this.#options.signal,
  ): Promise<T> {
    const once = async (): Promise<T> => {
      const response = await this.#client.request(path, request, signal);
      if (response.status === 429 || response.status >= 500) throw await statusError(response, answerer(response));
      return await use(response);
    };
    try {
      return await withRetries(this.#settings.retry, once, signal, this.#options.observe);
    } catch (error) {
      const isRefusal = ['UNAUTHORIZED', 'DENIED'].includes(errorCode(error));
      throw isRefusal && this.#missingHelper !== undefined ? this.#missingHelper.withCause(error) : error;
    }
  }
}

function isOk(response: HttpResponse): boolean {
  response.discard();
  return response.status === 200;
}

/** What an answer means that is no success, to somebody who pushes. */
export async function pushRefusal(response: HttpResponse): Promise<RegistryError> {
  const error = await statusError(response, answerer(response));
  if (error.code !== 'DENIED') return error;
  const { code, message, retriable } = error;
  const hint = 'Check the name, and log in with an account that may push to it: `cfsctl oci login`.';
  return new RegistryError(code, message, { status: response.status, retriable, hint });
}
