import { withContext, withContextAsync } from '../../errors.js';
import type { Descriptor } from '../model/descriptor.js';
import { sha256Hex } from '../model/digest.js';
import { parseIndex } from '../model/index-document.js';
import { MAX_JSON_BYTES } from '../model/json.js';
import type { ManifestDocument } from '../model/manifest.js';
import { BlobError, type FileLocation, type ImageSource } from './image-source.js';
import { type ResolveOptions, resolveManifest } from './resolve.js';
import { checkBlobLimit, readBlob } from './verified-read.js';

/** Content-addressed files and an index: what a layout directory and an archive of one have in common. */
export interface LayoutFiles {
  /** @throws ImageSourceError `INDEX_NOT_FOUND` */
  readIndex(): Buffer;
  /** The file `blobs/sha256/<hex>`, with the size that it really has; undefined where there is none. */
  locate(hex: string): FileLocation | undefined;
}

/** An image in an OCI layout. Unlike the reference's, manifests and configs are hashed when read (H-2). */
export class LayoutSource implements ImageSource {
  readonly reference: string;
  readonly #files: LayoutFiles;
  readonly #options: ResolveOptions;

  constructor(reference: string, files: LayoutFiles, options: ResolveOptions) {
    this.reference = reference;
    this.#files = files;
    this.#options = options;
  }

  async manifest(): Promise<ManifestDocument> {
    return await withContextAsync('Resolving manifest for platform', async () => {
      const index = parseIndex(this.#files.readIndex());
      return await resolveManifest(index.value, (blob, maxBytes) => this.readBlob(blob, maxBytes), this.#options);
    });
  }

  async readBlob(descriptor: Descriptor, maxBytes: number = MAX_JSON_BYTES): Promise<Buffer> {
    checkBlobLimit(descriptor.digest, descriptor.size, maxBytes);
    return await withContextAsync(`Reading blob ${descriptor.digest}`, async () =>
      readBlob(this.#locate(descriptor), descriptor, maxBytes),
    );
  }

  async locateBlob(descriptor: Descriptor): Promise<FileLocation> {
    return withContext(`Opening layer blob ${descriptor.digest}`, () => this.#locate(descriptor));
  }

  async close(): Promise<void> {}

  #locate({ digest, size }: Descriptor): FileLocation {
    const hex = sha256Hex(digest);
    if (hex === undefined) {
      const message = `Expected digest algorithm sha256 but found ${digest}`;
      throw new BlobError('UNSUPPORTED_DIGEST', digest, message);
    }
    const location = this.#files.locate(hex);
    if (location === undefined) {
      throw new BlobError('BLOB_NOT_FOUND', digest, `Blob ${digest} not found in ${this.reference}`);
    }
    if (location.size !== size) {
      throw new BlobError('BLOB_SIZE_MISMATCH', digest, `Expected size ${size} but found ${location.size}`);
    }
    return location;
  }
}
