import { closeSync } from 'node:fs';
import { withContextAsync } from '../../errors.js';
import { MAX_JSON_BYTES, MAX_MANIFEST_BYTES } from '../../json/json.js';
import { BlobError } from '../blob/blob-error.js';
import { DownloadSlots } from '../blob/download-slots.js';
import { type LayerBlob, NO_TRANSFER } from '../blob/layer-blob.js';
import { BlobVerifier, checkBlobLimit } from '../blob/verified-read.js';
import type { Descriptor } from '../model/descriptor.js';
import type { OciDigest } from '../model/digest.js';
import { formatImageReference, type ImageReference } from '../model/image-reference.js';
import { type ManifestDocument, parseManifest } from '../model/manifest.js';
import type { AttachedSignature } from '../signatures/check-policy.js';
import { imageIdentity } from '../signatures/image-identity.js';
import type { PolicyIdentity } from '../signatures/policy-scope.js';
import { parseLayerInfo } from '../skopeo/layer-info.js';
import { withProxyBlob } from '../skopeo/proxy-blob.js';
import { ProxyClient } from '../skopeo/proxy-client.js';
import { openAuthFile, type ProxyOptions, proxyCommand } from '../skopeo/proxy-command.js';
import { SkopeoError } from '../skopeo/proxy-error.js';
import type { ImageSource, SourceContext } from './image-source.js';
import { listNoReferrers } from './read-referrers.js';
import { requirePlatform } from './resolve.js';
import { pullingContext } from './source-context.js';

export interface SkopeoSourceOptions extends ProxyOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bounds the transfers; one object may serve several images. */
  readonly downloads?: DownloadSlots | undefined;
}

/** What the protocol's 0.2.x gives: the layers of containers-storage as they are stored. */
const LAYER_INFO_MINOR = 5;
const LAYER_INFO_PIPED_MINOR = 7;

interface OpenedManifest {
  readonly document: ManifestDocument;
  /** It was a Docker manifest: the config that it names now exists in skopeo's memory only. */
  readonly isConverted: boolean;
}

/**
 * An image of any transport that skopeo knows, read through its image proxy. Docker images are converted to OCI on the
 * way; the manifest is stored under the digest of the bytes that came (H-4).
 */
export class SkopeoSource implements ImageSource {
  readonly reference: string;
  readonly via = 'skopeo';
  readonly context: SourceContext;
  readonly #imageReference: ImageReference;
  readonly #downloads: DownloadSlots;
  readonly #client: ProxyClient;
  readonly #image: unknown;
  readonly #transport: ImageReference['transport'];
  readonly #options: SkopeoSourceOptions;
  #manifest: Promise<OpenedManifest> | undefined;
  #layers: Promise<ReadonlyMap<OciDigest, Descriptor>> | undefined;

  private constructor(reference: ImageReference, client: ProxyClient, image: unknown, options: SkopeoSourceOptions) {
    this.reference = formatImageReference(reference);
    this.context = pullingContext(reference);
    this.#imageReference = reference;
    this.#downloads = options.downloads ?? new DownloadSlots();
    this.#transport = reference.transport;
    this.#client = client;
    this.#image = image;
    this.#options = options;
  }

  /** @throws ContextError `Creating ImageProxy` or `Opening image` around a SkopeoError */
  static async open(reference: ImageReference, options: SkopeoSourceOptions = {}): Promise<SkopeoSource> {
    const { signal } = options;
    const client = await withContextAsync('Creating ImageProxy', () => startProxy(reference, options)).catch(
      (error) => {
        signal?.throwIfAborted();
        throw error;
      },
    );
    try {
      const { value } = await withContextAsync('Opening image', () => client.call('OpenImage', [rendered(reference)]));
      // Integers come as bigints, which JSON does not write.
      return new SkopeoSource(reference, client, Number(value), options);
    } catch (error) {
      await client.close();
      signal?.throwIfAborted();
      throw error;
    }
  }

  get identity(): PolicyIdentity {
    return imageIdentity(this.#imageReference);
  }

  async manifest(): Promise<ManifestDocument> {
    const { document } = await this.#openManifest();
    return await requirePlatform(document, this.#options.platform, (blob, maxBytes) => this.readBlob(blob, maxBytes));
  }

  async readBlob(descriptor: Descriptor, maxBytes: number = MAX_JSON_BYTES): Promise<Buffer> {
    const { digest, size } = descriptor;
    checkBlobLimit(digest, size, maxBytes);
    return await withContextAsync(`Reading blob ${digest}`, async () => {
      const { document, isConverted } = await this.#openManifest();
      const isMadeUp = isConverted && digest === document.value.config.digest;
      const { bytes } = isMadeUp
        ? await this.#client.callForDocument('GetFullConfig', [this.#image], maxBytes)
        : await this.#client.callForDocument('GetBlob', [this.#image, digest, size], maxBytes);
      const verifier = new BlobVerifier(descriptor);
      verifier.update(bytes);
      verifier.finish();
      return bytes;
    });
  }

  layer(descriptor: Descriptor): LayerBlob {
    const transfer: LayerBlob['transfer'] = async (use, { signal }) => {
      const read = async (): ReturnType<typeof use> => {
        const isStored = this.#transport === 'containers-storage';
        const blob = isStored ? await this.#storedLayer(descriptor) : descriptor;
        return await withProxyBlob(this.#client, this.#image, blob, signal, (chunks) =>
          use({ kind: 'chunks', descriptor: blob, chunks }),
        );
      };
      return { result: await this.#downloads.run(this.reference, read, signal), transfer: NO_TRANSFER };
    };
    return { keptBytes: () => 0, transfer, stored: () => undefined };
  }

  referrers(): Promise<never> {
    return listNoReferrers(this);
  }

  async signatures(): Promise<readonly AttachedSignature[]> {
    return [];
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  #openManifest(): Promise<OpenedManifest> {
    this.#manifest ??= withContextAsync('Fetching manifest', async () => {
      const { value, bytes } = await this.#client.callForDocument('GetManifest', [this.#image], MAX_MANIFEST_BYTES);
      const document = parseManifest(bytes);
      return { document, isConverted: value !== document.digest };
    });
    return this.#manifest;
  }

  /** A store keeps layers unpacked: what it can give is not the blob that the manifest names. */
  async #storedLayer(descriptor: Descriptor): Promise<Descriptor> {
    this.#layers ??= withContextAsync('Failed to get uncompressed layer info', () => this.#readLayerInfo());
    const layer = (await this.#layers).get(descriptor.digest);
    if (layer !== undefined) return layer;
    throw new BlobError('BLOB_NOT_FOUND', descriptor.digest, `Layer ${descriptor.digest} not found in the store`);
  }

  async #readLayerInfo(): Promise<ReadonlyMap<OciDigest, Descriptor>> {
    const { document } = await this.#openManifest();
    if (this.#client.speaks(LAYER_INFO_PIPED_MINOR)) {
      const { bytes } = await this.#client.callForDocument('GetLayerInfoPiped', [this.#image], MAX_MANIFEST_BYTES);
      return parseLayerInfo(document.value.layers, bytes);
    }
    if (!this.#client.speaks(LAYER_INFO_MINOR)) {
      throw new SkopeoError('SKOPEO_TOO_OLD', 'skopeo cannot tell which layers a containers-storage has', {
        hint: 'skopeo 1.11 or newer can.',
      });
    }
    const { value } = await this.#client.call('GetLayerInfo', [this.#image]);
    const json = JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? Number(item) : item));
    return parseLayerInfo(document.value.layers, Buffer.from(json));
  }
}

async function startProxy(reference: ImageReference, options: SkopeoSourceOptions): Promise<ProxyClient> {
  const { config = {}, signal } = options;
  const authFd = config.credentials === undefined ? undefined : openAuthFile(reference, config.credentials);
  try {
    const command = proxyCommand(reference, options, authFd !== undefined);
    const fds = authFd === undefined ? [] : [authFd];
    return await ProxyClient.start({ command, fds, environment: config.environment }, signal);
  } finally {
    if (authFd !== undefined) closeSync(authFd);
  }
}

/** As skopeo takes it. An image of a store that is named by its id is named by the hex alone. */
function rendered(reference: ImageReference): string {
  const { transport, name } = reference;
  const isId = transport === 'containers-storage' && name.startsWith('sha256:');
  return formatImageReference(isId ? { transport, name: name.slice('sha256:'.length) } : reference);
}
