import { withContextAsync } from '../../errors.js';
import { MAX_JSON_BYTES } from '../../json/json.js';
import { type ArchiveFile, openArchive } from '../blob/archive-file.js';
import { ImageSourceError } from '../blob/blob-error.js';
import { readLocation } from '../blob/blob-file.js';
import type { FileLocation } from '../blob/blob-location.js';
import { findMember, indexTar, memberName, type TarMember } from '../blob/tar-index.js';
import { digestAlgorithm, digestEncoded, type OciDigest } from '../model/digest.js';
import type { LayoutFiles } from './layout-source.js';

/**
 * An OCI image layout in a tar. The tar is indexed, not unpacked; links of `index.json` and `blobs/<algorithm>/<hex>`
 * lead to other members only.
 */
export class OciArchive implements LayoutFiles {
  readonly #file: ArchiveFile;
  readonly #members: ReadonlyMap<string, TarMember>;

  private constructor(file: ArchiveFile, members: ReadonlyMap<string, TarMember>) {
    this.#file = file;
    this.#members = members;
  }

  /** @throws ContextError `Opening OCI archive …` around a TarError or an ImageSourceError */
  static async open(path: string, signal?: AbortSignal): Promise<OciArchive> {
    return await withContextAsync(`Opening OCI archive ${path}`, async () => {
      const file = await openArchive(path, signal);
      try {
        return new OciArchive(file, indexTar(file.path, { select: memberName, links: true }));
      } catch (error) {
        file.close();
        throw error;
      }
    });
  }

  get realPath(): string {
    return this.#file.realPath;
  }

  readIndex(): Buffer {
    const location = this.#find('index.json');
    if (location === undefined) {
      throw new ImageSourceError('INDEX_NOT_FOUND', 'Cannot find the Image Index (index.json)', {
        hint: `${this.realPath} is no OCI archive. If 'docker save' has made it: docker-archive:${this.realPath}`,
      });
    }
    if (location.size > MAX_JSON_BYTES) {
      const message = `index.json of ${location.size} bytes exceeds the limit of ${MAX_JSON_BYTES}`;
      throw new ImageSourceError('INVALID_ARCHIVE', message);
    }
    return Buffer.concat([...readLocation(location)]);
  }

  locate(digest: OciDigest): FileLocation | undefined {
    return this.#find(`blobs/${digestAlgorithm(digest)}/${digestEncoded(digest)}`);
  }

  close(): void {
    this.#file.close();
  }

  #find(name: string): FileLocation | undefined {
    return this.#members.has(name) ? findMember(this.#members, name) : undefined;
  }
}
