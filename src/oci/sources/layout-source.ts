import { withContextAsync } from '../../errors.js';
import { MAX_MANIFEST_BYTES } from '../../json/json.js';
import type { FileLocation } from '../blob/blob-location.js';
import type { Descriptor } from '../model/descriptor.js';
import type { OciDigest } from '../model/digest.js';
import type { ImageReference } from '../model/image-reference.js';
import { parseIndex } from '../model/index-document.js';
import { type ManifestDocument, parseManifest } from '../model/manifest.js';
import { isManifestMediaType } from '../model/media-types.js';
import { FileSource } from './file-source.js';
import { type ResolveOptions, resolveManifest } from './resolve.js';

/** Content-addressed files and an index: what a layout directory and an archive of one have in common. */
export interface LayoutFiles {
  /** @throws ImageSourceError `INDEX_NOT_FOUND` */
  readIndex(): Buffer;
  /** The file `blobs/<algorithm>/<hex>`, with the size that it really has; undefined where there is none. */
  locate(digest: OciDigest): FileLocation | undefined;
  /** Without links, as it was opened. */
  readonly realPath: string;
  close(): void;
}

/** An image in an OCI layout. Unlike the reference's, manifests and configs are hashed when read (H-2). */
export class LayoutSource extends FileSource {
  readonly #files: LayoutFiles;
  readonly #options: ResolveOptions;

  constructor(reference: ImageReference, files: LayoutFiles, options: ResolveOptions) {
    super(reference, files.realPath);
    this.#files = files;
    this.#options = options;
  }

  override async manifest(): Promise<ManifestDocument> {
    return await withContextAsync('Resolving manifest for platform', async () => {
      const index = parseIndex(this.#files.readIndex());
      const options = { ...this.#options, isLayout: true };
      return await resolveManifest(index.value, (blob, maxBytes) => this.readBlob(blob, maxBytes), options);
    });
  }

  /** An index lists what refers to an image as it does images, and does not say to which. */
  override async referrers(subject: OciDigest): Promise<readonly Descriptor[]> {
    const found: Descriptor[] = [];
    for (const entry of parseIndex(this.#files.readIndex()).value.manifests) {
      if (entry.digest === subject || !isManifestMediaType(entry.mediaType)) continue;
      if ((await this.#subjectOf(entry)) === subject) found.push(entry);
    }
    return found;
  }

  /** Undefined, too, for what is damaged or is not there: it is another image's, which nobody has asked for. */
  async #subjectOf(entry: Descriptor): Promise<string | undefined> {
    try {
      return parseManifest(await this.readBlob(entry, MAX_MANIFEST_BYTES)).value.subject?.digest;
    } catch {
      return undefined;
    }
  }

  override async close(): Promise<void> {
    this.#files.close();
  }

  protected override findBlob(digest: OciDigest): FileLocation | undefined {
    return this.#files.locate(digest);
  }
}
