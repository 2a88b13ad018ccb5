import { availableParallelism } from 'node:os';
import { errorCode, fullMessage, withContextAsync } from '../../errors.js';
import { findProgram } from '../../linux/find-program.js';
import { hasCapability } from '../../linux/process.js';
import { PULL_AGAIN_HINT, StoreError } from '../../storage/index.js';
import { DownloadSlots } from '../blob/download-slots.js';
import { type LayerBlob, NO_TRANSFER, type TransferOptions } from '../blob/layer-blob.js';
import type { StoreLocation } from '../blob/store-location.js';
import type { Descriptor } from '../model/descriptor.js';
import { formatImageReference, type ImageReference } from '../model/image-reference.js';
import type { ManifestDocument } from '../model/manifest.js';
import { formatRegistryReference, hasHost, parseRegistryReference } from '../model/registry-reference.js';
import type { AttachedSignature } from '../signatures/check-policy.js';
import { imageIdentity } from '../signatures/image-identity.js';
import type { PolicyIdentity } from '../signatures/policy-scope.js';
import type { ImageSource, ReadVia, SourceContext } from './image-source.js';
import { listNoReferrers } from './read-referrers.js';
import type { RegistrySourceOptions } from './registry-source.js';
import { pullingContext } from './source-context.js';
import { mayBeChangedByOthers, StoredImage, type StoredImageOptions } from './stored-image.js';

export interface StorageSourceOptions extends StoredImageOptions {
  /** Fail rather than copy files, or fetch a layer from elsewhere. */
  readonly zeroCopy?: boolean | undefined;
  /** For layers that are not in the store any more as they came. */
  readonly registry?: Omit<RegistrySourceOptions, 'platform'> | undefined;
  readonly downloads?: DownloadSlots | undefined;
  /** For files that cannot be read otherwise. */
  readonly openBySkopeo: () => Promise<ImageSource>;
}

/** Codes of errors that say that a layer cannot be had from the store, or not as it was. */
const STORE_FAILURES: ReadonlySet<string> = new Set([
  'LAYER_NOT_IN_STORE',
  'LAYER_NOT_REBUILDABLE',
  'LAYER_FILE_CHANGED',
  'INVALID_TAR_SPLIT',
  'DIFF_ID_MISMATCH',
  'FILE_CHANGED',
]);

/** Codes of errors that say that this user cannot read the files. */
const UNREADABLE: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'NAMESPACE_PROCESS']);

/**
 * An image in a store of containers/storage, whose layers are read where podman has unpacked them. A layer that is not
 * there any more as it came is fetched from the registry that the image has come from, if its names tell one.
 */
export class StorageSource implements ImageSource {
  readonly reference: string;
  readonly context: SourceContext;
  readonly identity: PolicyIdentity;
  readonly #image: StoredImage;
  readonly #options: StorageSourceOptions;
  /** As many layers are read at once as there are processors. */
  readonly #slots = new DownloadSlots({ total: availableParallelism(), perHost: availableParallelism() });
  #via: ReadVia;
  #registry: Promise<ImageSource | undefined> | undefined;
  #skopeo: Promise<ImageSource> | undefined;

  private constructor(reference: ImageReference, image: StoredImage, options: StorageSourceOptions) {
    this.reference = formatImageReference(reference);
    // As root everything can be read; so it is in a user namespace, of what is the user's there.
    const mayReadAll = process.geteuid?.() === 0 || hasCapability('CAP_DAC_OVERRIDE');
    this.#via = mayReadAll ? 'store' : 'store-in-user-namespace';
    this.context = pullingContext(reference);
    this.identity = imageIdentity(reference);
    this.#image = image;
    this.#options = options;
  }

  /** @throws StoreError */
  static async open(reference: ImageReference, options: StorageSourceOptions): Promise<StorageSource> {
    const image = await withContextAsync('Opening image', () => StoredImage.open(reference.name, options));
    return new StorageSource(reference, image, options);
  }

  async manifest(): Promise<ManifestDocument> {
    return await withContextAsync(`Reading the manifest of ${this.reference}`, () => this.#image.manifest());
  }

  async readBlob(descriptor: Descriptor, maxBytes?: number): Promise<Buffer> {
    return await withContextAsync(`Reading blob ${descriptor.digest}`, () =>
      this.#image.readBlob(descriptor, maxBytes),
    );
  }

  get via(): ReadVia {
    return this.#via;
  }

  layer(descriptor: Descriptor): LayerBlob {
    const transfer: LayerBlob['transfer'] = async (use, options) => {
      const read = async (): ReturnType<typeof use> =>
        await use({ kind: 'store', descriptor, location: await this.#locate(descriptor) });
      try {
        const result = await this.#slots.run('', () => this.#inSomeWay(read, options), options.signal);
        return { result, transfer: NO_TRANSFER };
      } catch (error) {
        try {
          const other = await this.#otherSource(error);
          if (other === undefined) throw error;
          options.message(`${fullMessage(error)}; reading layer ${descriptor.digest} from ${other.name}`);
          return await other.source.layer(descriptor).transfer(use, options);
        } catch (second) {
          options.signal.throwIfAborted();
          // What is wrong with the store is what the user can do something about.
          if (second !== error) options.message(`It cannot be had from elsewhere: ${fullMessage(second)}`);
          throw error;
        }
      }
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
    this.#image.close();
    for (const source of await Promise.allSettled([this.#registry, this.#skopeo])) {
      if (source.status === 'fulfilled') await source.value?.close();
    }
  }

  /** Where no user namespace can be made, what everybody may read can be read without. */
  async #inSomeWay<T>(read: () => Promise<T>, { message }: TransferOptions): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (errorCode(error) !== 'USERNS_UNAVAILABLE') throw error;
      if (this.#via !== 'store') message(`${fullMessage(error)}; files of other ids cannot be read`);
      this.#via = 'store';
      return await read();
    }
  }

  /** Where else a layer may be had that could not be read for a reason. Nowhere, if nothing is to be copied. */
  async #otherSource(error: unknown): Promise<{ source: ImageSource; name: string } | undefined> {
    const code = errorCode(error);
    if (this.#options.zeroCopy === true) return undefined;
    if (STORE_FAILURES.has(code)) {
      this.#registry ??= this.#findRegistry();
      const source = await this.#registry;
      return source === undefined ? undefined : { source, name: source.reference };
    }
    if (!UNREADABLE.has(code) || findProgram('skopeo') === undefined) return undefined;
    this.#skopeo ??= this.#options.openBySkopeo();
    const source = await this.#skopeo;
    this.#via = 'skopeo';
    return { source, name: 'skopeo' };
  }

  async #locate({ digest }: Descriptor): Promise<StoreLocation> {
    const layer = await this.#image.findLayer(digest);
    if (layer === undefined) {
      const message = `no store has the layer ${digest} of ${this.reference}`;
      throw new StoreError('LAYER_NOT_IN_STORE', message, { hint: PULL_AGAIN_HINT });
    }
    const { store, record } = layer;
    const { root, driver } = store;
    return {
      root,
      driver,
      layerId: record.id,
      tarSize: record.diffSize,
      zeroCopy: this.#options.zeroCopy === true,
      inNamespace: this.#via === 'store-in-user-namespace',
      mayChange: mayBeChangedByOthers(store),
    };
  }

  /** The registry of the first name that has one; the layers in it are named by their digests. */
  async #findRegistry(): Promise<ImageSource | undefined> {
    const name = this.#image.names.find((each) => hasHost(each) && !each.startsWith('localhost/'));
    if (name === undefined) return undefined;
    const { RegistrySource } = await import('./registry-source.js');
    const { registry, downloads } = this.#options;
    return await RegistrySource.open(formatRegistryReference(parseRegistryReference(name)), { ...registry, downloads });
  }
}
