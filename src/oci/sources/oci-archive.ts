import { realpathSync } from 'node:fs';
import { withContext } from '../../errors.js';
import { MAX_JSON_BYTES } from '../model/json.js';
import { readLocation } from './blob-file.js';
import { type FileLocation, ImageSourceError } from './image-source.js';
import type { LayoutFiles } from './layout-source.js';
import { indexTar, type TarMember } from './tar-index.js';

const LAYOUT_FILE = /^(?:\.\/)*(index\.json|blobs\/sha256\/([0-9a-f]{64}))$/;

/**
 * An OCI image layout in a tar. The tar is indexed, not unpacked: of its names only `index.json` and
 * `blobs/sha256/<hex>` mean anything, and only for regular files.
 */
export class OciArchive implements LayoutFiles {
  readonly #path: string;
  readonly #files: ReadonlyMap<string, TarMember>;

  private constructor(path: string, files: ReadonlyMap<string, TarMember>) {
    this.#path = path;
    this.#files = files;
  }

  /** @throws ContextError `Opening OCI archive …` around a TarError or an ImageSourceError */
  static open(path: string): OciArchive {
    return withContext(`Opening OCI archive ${path}`, () => {
      const real = realpathSync(path);
      return new OciArchive(real, indexTar(real, { select: layoutFile }));
    });
  }

  readIndex(): Buffer {
    const location = this.locate('index.json');
    if (location === undefined) {
      throw new ImageSourceError('INDEX_NOT_FOUND', 'Cannot find the Image Index (index.json)', {
        hint: `${this.#path} is no OCI archive. If 'docker save' has made it: docker-archive:${this.#path}`,
      });
    }
    if (location.size > MAX_JSON_BYTES) {
      const message = `index.json of ${location.size} bytes exceeds the limit of ${MAX_JSON_BYTES}`;
      throw new ImageSourceError('INVALID_ARCHIVE', message);
    }
    return Buffer.concat([...readLocation(location)]);
  }

  locate(name: string): FileLocation | undefined {
    const member = this.#files.get(name);
    return member?.kind === 'file' ? member : undefined;
  }
}

/** The layout's files by `index.json` or the hex of their digest. */
function layoutFile(name: string): string | undefined {
  const match = LAYOUT_FILE.exec(name);
  return match?.[2] ?? match?.[1];
}
