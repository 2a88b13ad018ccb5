import { withContextAsync } from '../../errors.js';
import { MAX_JSON_BYTES } from '../../json/json.js';
import { BlobError } from '../blob/blob-error.js';
import type { FileLocation } from '../blob/blob-location.js';
import { FileLayers } from '../blob/file-layer.js';
import type { LayerBlob } from '../blob/layer-blob.js';
import { checkBlobLimit, isVerifiable, readBlob } from '../blob/verified-read.js';
import type { Descriptor } from '../model/descriptor.js';
import type { OciDigest } from '../model/digest.js';
import { formatImageReference, type ImageReference } from '../model/image-reference.js';
import type { ManifestDocument } from '../model/manifest.js';
import type { AttachedSignature } from '../signatures/check-policy.js';
import { imageIdentity } from '../signatures/image-identity.js';
import type { PolicyIdentity } from '../signatures/policy-scope.js';
import type { ImageSource, SourceContext } from './image-source.js';
import { listNoReferrers } from './read-referrers.js';
import { importingContext } from './source-context.js';

/** An image whose blobs are files, or parts of one, found by their digests. */
export abstract class FileSource implements ImageSource {
  readonly reference: string;
  readonly via = 'files';
  readonly context: SourceContext;
  /** Where the files are, without links, found after they were opened. */
  readonly realPath: string;
  readonly #reference: ImageReference;
  readonly #layers = new FileLayers();

  constructor(reference: ImageReference, realPath: string) {
    this.reference = formatImageReference(reference);
    this.context = importingContext(reference);
    this.realPath = realPath;
    this.#reference = reference;
  }

  get identity(): PolicyIdentity {
    return imageIdentity(this.#reference, this.realPath);
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

  layer(descriptor: Descriptor): LayerBlob {
    return this.#layers.layer(descriptor, () => this.#locate(descriptor));
  }

  referrers(_subject: OciDigest): Promise<readonly Descriptor[]> {
    return listNoReferrers(this);
  }

  async signatures(): Promise<readonly AttachedSignature[]> {
    return [];
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
