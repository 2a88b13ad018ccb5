import { lstatSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { ComposefsError, errorCode, withContext } from '../../errors.js';
import { MAX_JSON_BYTES } from '../../json/json.js';
import { ImageSourceError } from '../blob/blob-error.js';
import { locateRegularFile, locationOf, readDocumentFile, realDirectory } from '../blob/blob-file.js';
import type { FileLocation } from '../blob/blob-location.js';
import { OpenedDirectory } from '../blob/opened-path.js';
import { digestAlgorithm, digestEncoded, type OciDigest } from '../model/digest.js';
import { parseIndex } from '../model/index-document.js';
import { REF_NAME_ANNOTATION } from '../model/media-types.js';
import type { LayoutFiles } from './layout-source.js';

/**
 * An OCI image layout directory (spec 40 §4.5). The file `oci-layout` is not checked. `index.json` must be a regular file,
 * and the folders of blobs must not be links out of the layout. A blob may be a link to a regular file anywhere, as build
 * systems make them: nobody reads what has not the digest that it is named by.
 */
export class OciLayout implements LayoutFiles {
  readonly #directory: OpenedDirectory;
  /** By algorithm, those that were found to be within the layout. */
  readonly #blobFolders = new Map<string, string>();

  /** @throws ContextError `Opening OCI layout directory …` or `Opening OCI directory` */
  constructor(path: string) {
    this.#directory = withContext(`Opening OCI layout directory ${path}`, () => new OpenedDirectory(path), {
      ENOTDIR: `${path} is a file: if it is an archive, oci-archive:${path} or docker-archive:${path}`,
    });
    try {
      withContext('Opening OCI directory', () => this.#blobFolder('sha256'), {
        ENOENT: `${path} is no OCI layout: that has index.json, and the blobs in blobs/sha256`,
      });
    } catch (error) {
      this.#directory.close();
      throw error;
    }
  }

  get realPath(): string {
    return this.#directory.realPath;
  }

  readIndex(): Buffer {
    try {
      return this.#directory.within((self) => readDocumentFile(join(self, 'index.json'), MAX_JSON_BYTES));
    } catch (cause) {
      if (errorCode(cause) !== 'ENOENT') throw cause;
      throw new ImageSourceError('INDEX_NOT_FOUND', 'Cannot find the Image Index (index.json)', { cause });
    }
  }

  locate(digest: OciDigest): FileLocation | undefined {
    let path: string;
    try {
      // Not normalized: the folder is, and there is neither a slash nor a dot in the digest.
      path = `${this.#blobFolder(digestAlgorithm(digest))}/${digestEncoded(digest)}`;
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat?.isFile() === true) return locationOf(path, stat);
      path = realpathSync(path);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
    return locateRegularFile(path);
  }

  close(): void {
    this.#directory.close();
  }

  #blobFolder(algorithm: string): string {
    const known = this.#blobFolders.get(algorithm);
    if (known !== undefined) return known;
    const folder = realDirectory(join(this.realPath, 'blobs', algorithm));
    if (folder.startsWith(join(this.realPath, '/'))) {
      this.#blobFolders.set(algorithm, folder);
      return folder;
    }
    throw new ComposefsError('ELOOP', `blobs/${algorithm} of ${this.realPath} leads out of it, to ${folder}`);
  }
}

/**
 * The tags in an OCI image layout, in the order of its index.
 *
 * @param path of its directory
 * @throws ContextError below which ImageSourceError `INDEX_NOT_FOUND`, DocumentError
 */
export function listLayoutTags(path: string): string[] {
  const layout = new OciLayout(path);
  try {
    const { manifests } = parseIndex(layout.readIndex()).value;
    return manifests.flatMap(({ annotations }) => annotations?.[REF_NAME_ANNOTATION] ?? []);
  } finally {
    layout.close();
  }
}
