import { join } from 'node:path';
import { errorCode, withContext, withContextAsync } from '../../errors.js';
import { parseIndex } from '../model/index-document.js';
import { MAX_MANIFEST_BYTES } from '../model/json.js';
import { type ManifestDocument, parseManifest } from '../model/manifest.js';
import { isIndexMediaType, isManifestMediaType } from '../model/media-types.js';
import { hostPlatform, type Platform } from '../model/platform.js';
import { locateRegularFile, readDocumentFile, realDirectory } from './blob-file.js';
import { FileSource } from './file-source.js';
import { type FileLocation, ImageSourceError } from './image-source.js';
import { manifestKind } from './manifest-kind.js';
import { requirePlatform, resolveManifest } from './resolve.js';

/**
 * An image in a directory as skopeo's `dir:` has it: `manifest.json`, each blob in a file of its digest's hex, and with
 * an index in `manifest.json` each of its manifests in `<hex>.manifest.json`. The file `version` is not checked. Only
 * regular files of the directory itself are ever opened.
 */
export class DirectorySource extends FileSource {
  readonly #root: string;
  readonly #platform: Platform | undefined;

  /**
   * @param platform which image of an index: the host's, if undefined. An image that is in no index is checked only if
   *   this is given.
   * @throws ContextError `Opening image directory …`
   */
  constructor(reference: string, path: string, platform: Platform | undefined) {
    super(reference);
    this.#root = withContext(`Opening image directory ${path}`, () => realDirectory(path));
    this.#platform = platform;
  }

  override async manifest(): Promise<ManifestDocument> {
    return await withContextAsync(`Reading the manifest of ${this.reference}`, async () => {
      const raw = this.#readManifest();
      const readBlob = this.readBlob.bind(this);
      if (manifestKind(raw, this.reference) === 'manifest') {
        return await requirePlatform(parseManifest(raw), this.#platform, readBlob);
      }
      const index = parseIndex(raw, MAX_MANIFEST_BYTES).value;
      return await resolveManifest(index, readBlob, { platform: this.#platform ?? hostPlatform() });
    });
  }

  protected override findBlob(hex: string, mediaType: string): FileLocation | undefined {
    const isManifest = isManifestMediaType(mediaType) || isIndexMediaType(mediaType);
    return locateRegularFile(join(this.#root, isManifest ? `${hex}.manifest.json` : hex));
  }

  #readManifest(): Buffer {
    try {
      return readDocumentFile(join(this.#root, 'manifest.json'), MAX_MANIFEST_BYTES);
    } catch (cause) {
      if (errorCode(cause) !== 'ENOENT') throw cause;
      const isLayout = locateRegularFile(join(this.#root, 'index.json')) !== undefined;
      throw new ImageSourceError('INDEX_NOT_FOUND', `Cannot find manifest.json in ${this.#root}`, {
        cause,
        hint: isLayout
          ? `This is an OCI layout: oci:${this.#root}`
          : 'A directory for dir: is what `skopeo copy IMAGE dir:DIRECTORY` makes.',
      });
    }
  }
}
