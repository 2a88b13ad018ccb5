import * as v from 'valibot';
import { withContextAsync } from '../../errors.js';
import { MAX_JSON_BYTES, MAX_MANIFEST_BYTES } from '../../json/json.js';
import { list, struct, text } from '../../json/schema.js';
import { type ArchiveFile, openArchive } from '../blob/archive-file.js';
import { ImageSourceError } from '../blob/blob-error.js';
import { readLocation } from '../blob/blob-file.js';
import type { FileLocation } from '../blob/blob-location.js';
import { findMember, indexTar, invalidArchive, memberName, type TarMember } from '../blob/tar-index.js';
import type { DockerArchiveReference } from '../model/image-reference.js';
import { formatRegistryReference, parseRegistryReference } from '../model/registry-reference.js';
import { parseDocument } from '../model/schema.js';

/** One image of an archive: an item of its `manifest.json`. */
export interface ArchivedImage {
  /** The name of the config's file. */
  readonly Config: string;
  readonly RepoTags?: readonly string[];
  /** The names of the layers' tars, in the order of the config's diff_ids. */
  readonly Layers?: readonly string[];
}

const items: v.GenericSchema<unknown, readonly ArchivedImage[]> = list(
  struct({ Config: text, RepoTags: v.nullish(list(text)), Layers: v.nullish(list(text)) }),
);

const MANIFEST = 'manifest.json';

/**
 * What `docker save` writes, old and new. Its tar is read in place: no path is made of its names, and links lead to other
 * members only.
 */
export class DockerArchive {
  readonly #file: ArchiveFile;
  readonly #members: ReadonlyMap<string, TarMember>;
  readonly images: readonly ArchivedImage[];

  private constructor(file: ArchiveFile, members: ReadonlyMap<string, TarMember>, images: readonly ArchivedImage[]) {
    this.#file = file;
    this.#members = members;
    this.images = images;
  }

  /** @throws ContextError `Opening Docker archive …` around a TarError, a DocumentError or an ImageSourceError */
  static async open(path: string, signal?: AbortSignal): Promise<DockerArchive> {
    return await withContextAsync(`Opening Docker archive ${path}`, async () => {
      const file = await openArchive(path, signal);
      try {
        const members = indexTar(file.path, { select: memberName, links: true });
        if (!members.has(MANIFEST)) throw withoutManifest(file.realPath, members);
        const raw = readMember(members, MANIFEST, MAX_MANIFEST_BYTES);
        return new DockerArchive(file, members, parseDocument(MANIFEST, items, raw, MAX_MANIFEST_BYTES).value);
      } catch (error) {
        file.close();
        throw error;
      }
    });
  }

  close(): void {
    this.#file.close();
  }

  /**
   * The image of a tag, of a position, or the only one.
   *
   * @throws ImageSourceError `TAG_NOT_FOUND` with a hint.
   */
  select({ tag, index }: Omit<DockerArchiveReference, 'path'>): ArchivedImage {
    if (index !== undefined) {
      const image = this.images[index];
      if (image !== undefined) return image;
      const message = `Invalid source index @${index}, only ${this.images.length} manifest items available`;
      throw new ImageSourceError('TAG_NOT_FOUND', message);
    }
    if (tag !== undefined) {
      const wanted = completeTag(tag);
      const image = this.images.find(({ RepoTags = [] }) => RepoTags.some((each) => completeTag(each) === wanted));
      if (image !== undefined) return image;
      throw new ImageSourceError('TAG_NOT_FOUND', `Tag '${tag}' not found in the archive`, { hint: this.#hint() });
    }
    const [only, second] = this.images;
    if (only !== undefined && second === undefined) return only;
    const message = `The archive holds ${this.images.length} images`;
    throw new ImageSourceError('TAG_NOT_FOUND', message, { hint: this.#hint() });
  }

  /**
   * The file of a name in `manifest.json`, through links.
   *
   * @throws ImageSourceError `INVALID_ARCHIVE`
   */
  locate(name: string): FileLocation {
    return findMember(this.#members, name);
  }

  /** @throws ImageSourceError `INVALID_ARCHIVE` */
  read(name: string): Buffer {
    return readMember(this.#members, name, MAX_JSON_BYTES);
  }

  #hint(): string {
    const tags = this.images.flatMap(({ RepoTags = [] }) => RepoTags).slice(0, 10);
    if (tags.length > 0) return `Add one of its tags, or @ and a position: ${tags.join(', ')}.`;
    return this.images.length === 0
      ? 'Its manifest.json lists none.'
      : `They have no tags. Add a position: docker-archive:FILE:@0 to @${this.images.length - 1}.`;
  }
}

/** A tag that is none is left as it is: it equals nothing that could be asked for. */
function completeTag(tag: string): string {
  try {
    return formatRegistryReference(parseRegistryReference(tag));
  } catch {
    return tag;
  }
}

function readMember(members: ReadonlyMap<string, TarMember>, name: string, maxBytes: number): Buffer {
  const location = findMember(members, name);
  if (location.size > maxBytes) {
    throw invalidArchive(`${JSON.stringify(name)} of ${location.size} bytes exceeds the limit of ${maxBytes}`);
  }
  return Buffer.concat([...readLocation(location)]);
}

function withoutManifest(path: string, members: ReadonlyMap<string, TarMember>): ImageSourceError {
  const hint = members.has('index.json')
    ? `This is an OCI archive: oci-archive:${path}`
    : members.has('repositories')
      ? 'It was written by a version of Docker before 1.10: load it into a current one and save it again.'
      : 'A Docker archive is what `docker save` and `podman save` write.';
  return new ImageSourceError('INDEX_NOT_FOUND', `Cannot find ${MANIFEST}`, { hint });
}
