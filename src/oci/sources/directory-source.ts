import { join } from 'node:path';
import { errorCode, withContext, withContextAsync } from '../../errors.js';
import { MAX_MANIFEST_BYTES } from '../../json/json.js';
import { ImageSourceError } from '../blob/blob-error.js';
import { locateRegularFile, readDocumentFile } from '../blob/blob-file.js';
import type { FileLocation } from '../blob/blob-location.js';
import { OpenedDirectory } from '../blob/opened-path.js';
import { digestAlgorithm, digestEncoded, type OciDigest, sha256Hex } from '../model/digest.js';
import { parseIndex } from '../model/index-document.js';
import { type ManifestDocument, parseManifest } from '../model/manifest.js';
import { isIndexMediaType, isManifestMediaType } from '../model/media-types.js';
import { hostPlatform, type Platform } from '../model/platform.js';
import { FileSource } from './file-source.js';
import { manifestKind } from './manifest-kind.js';
import { requirePlatform, resolveManifest } from './resolve.js';

/**
 * An image in a directory as skopeo's `dir:` has it: `manifest.json`, each blob in a file of its digest's hex, and with
 * an index in `manifest.json` each of its manifests in `<hex>.manifest.json`. The file `version` is not checked. Only
 * regular files of the directory itself are ever opened.
 */
export class DirectorySource extends FileSource {
  readonly #directory: OpenedDirectory;
  readonly #platform: Platform | undefined;

  /**
   * @param path the directory.
   * @param platform which image of an index: the host's, if undefined. An image that is in no index is checked only if
   *   this is given.
   * @throws ContextError `Opening image directory …`
   */
  constructor(path: string, platform: Platform | undefined) {
    const directory = withContext(`Opening image directory ${path}`, () => new OpenedDirectory(path));
    super({ transport: 'dir', name: path }, directory.realPath);
    this.#directory = directory;
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

  override async close(): Promise<void> {
    this.#directory.close();
  }

  protected override findBlob(digest: OciDigest, mediaType: string): FileLocation | undefined {
    const isManifest = isManifestMediaType(mediaType) || isIndexMediaType(mediaType);
    // Names that are not of SHA-256 have the algorithm before them.
    const name = sha256Hex(digest) ?? `${digestAlgorithm(digest)}-${digestEncoded(digest)}`;
    return locateRegularFile(join(this.realPath, isManifest ? `${name}.manifest.json` : name));
  }

  #readManifest(): Buffer {
    try {
      return this.#directory.within((self) => readDocumentFile(join(self, 'manifest.json'), MAX_MANIFEST_BYTES));
    } catch (cause) {
      if (errorCode(cause) !== 'ENOENT') throw cause;
      const isLayout = locateRegularFile(join(this.realPath, 'index.json')) !== undefined;
      throw new ImageSourceError('INDEX_NOT_FOUND', `Cannot find manifest.json in ${this.realPath}`, {
        cause,
        hint: isLayout
          ? `This is an OCI layout: oci:${this.realPath}`
          : 'A directory for dir: is what `skopeo copy IMAGE dir:DIRECTORY` makes.',
      });
    }
  }
}
