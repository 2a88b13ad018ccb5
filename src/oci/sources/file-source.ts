import { withContext, withContextAsync } from '../../errors.js';
import { MAX_JSON_BYTES } from '../../json/json.js';
import { BlobError } from '../blob/blob-error.js';
import type { FileLocation } from '../blob/blob-location.js';
import { checkBlobLimit, isVerifiable, readBlob } from '../blob/verified-read.js';
import type { Descriptor } from '../model/descriptor.js';
import type { OciDigest } from '../model/digest.js';
import type { ManifestDocument } from '../model/manifest.js';
import type { ImageSource } from './image-source.js';

/** An image whose blobs are files, or parts of one, found by their digests. */
export abstract class FileSource implements ImageSource {
  readonly reference: string;
  readonly realPath: string;

  constructor(reference: string, realPath: string) {
    this.reference = reference;
    this.realPath = realPath;
  }

  abstract manifest(): Promise<ManifestDocument>;

  /** The place of a blob, with the size that it really has; undefined where there is none. */
  protected abstract findBlob(digest: OciDigest, mediaType: string): FileLocation | undefined;

  async readBlob(descriptor: Descriptor, maxBytes: number = MAX_JSON_BYTES): Promise<Buffer> {
    checkBlobLimit(descriptor.digest, descriptor.size, maxBytes);
    return await withContextAsync(`Reading blob ${descriptor.digest}`, async () =>
      readBlob(this.#locate(descriptor), descriptor, maxBytes),
    );
  }

  async locateBlob(descriptor: Descriptor): Promise<FileLocation> {
    return withContext(`Opening layer blob ${descriptor.digest}`, () => this.#locate(descriptor));
  }

  abstract close(): Promise<void>;

  #locate({ digest, size, mediaType }: Descriptor): FileLocation {
    if (!isVerifiable(digest)) {
      const message = `Expected digest algorithm sha256 but found ${digest}`;
      throw new BlobError('UNSUPPORTED_DIGEST', digest, message);
    }
    const location = this.findBlob(digest, mediaType);
    if (location === undefined) {
      throw new BlobError('BLOB_NOT_FOUND', digest, `Blob ${digest} not found in ${this.reference}`);
    }
    if (location.size !== size) {
      throw new BlobError('BLOB_SIZE_MISMATCH', digest, `Expected size ${size} but found ${location.size}`);
    }
    return location;
  }
}
