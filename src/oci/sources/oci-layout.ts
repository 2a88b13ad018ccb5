import { join } from 'node:path';
import { ComposefsError, errorCode, withContext } from '../../errors.js';
import { MAX_JSON_BYTES } from '../model/json.js';
import { locateRegularFile, readDocumentFile, realDirectory } from './blob-file.js';
import { type FileLocation, ImageSourceError } from './image-source.js';
import type { LayoutFiles } from './layout-source.js';

/**
 * An OCI image layout directory (spec 40 §4.5). The file `oci-layout` is not checked. Nothing outside the directory is
 * ever opened: blobs and `index.json` must be regular files, and `blobs/sha256` must not be a link out of it.
 */
export class OciLayout implements LayoutFiles {
  readonly #root: string;
  readonly #blobs: string;

  /** @throws ContextError `Opening OCI layout directory …` or `Opening OCI directory` */
  constructor(path: string) {
    this.#root = withContext(`Opening OCI layout directory ${path}`, () => realDirectory(path));
    this.#blobs = withContext('Opening OCI directory', () => realDirectory(join(this.#root, 'blobs', 'sha256')));
    if (!this.#blobs.startsWith(join(this.#root, '/'))) {
      throw new ComposefsError('ELOOP', `blobs/sha256 of ${path} leads out of it, to ${this.#blobs}`);
    }
  }

  readIndex(): Buffer {
    try {
      return readDocumentFile(join(this.#root, 'index.json'), MAX_JSON_BYTES);
    } catch (cause) {
      if (errorCode(cause) !== 'ENOENT') throw cause;
      throw new ImageSourceError('INDEX_NOT_FOUND', 'Cannot find the Image Index (index.json)', { cause });
    }
  }

  locate(hex: string): FileLocation | undefined {
    return locateRegularFile(join(this.#blobs, hex));
  }
}
