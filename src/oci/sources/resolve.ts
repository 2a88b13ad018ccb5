import { type ConfigDocument, parseConfig } from '../model/config.js';
import type { Descriptor } from '../model/descriptor.js';
import type { OciDigest } from '../model/digest.js';
import { type ImageIndex, parseIndex } from '../model/index-document.js';
import { MAX_JSON_BYTES, MAX_MANIFEST_BYTES } from '../model/json.js';
import { isContainerImage, isDelta, type ManifestDocument, parseManifest } from '../model/manifest.js';
import { isIndexMediaType, isManifestMediaType, REF_NAME_ANNOTATION } from '../model/media-types.js';
import { formatPlatform, matchesPlatform, type Platform } from '../model/platform.js';
import { ImageSourceError } from './image-source.js';

/** Reads a small blob and verifies it by its descriptor. */
export type BlobReader = (descriptor: Descriptor, maxBytes: number) => Promise<Buffer>;

export interface ResolveOptions {
  /** Only entries of the index with this tag. */
  readonly tag?: string;
  readonly platform: Platform;
}

const MAX_LISTED_PLATFORMS = 10;

/**
 * Picks the manifest for a platform from an index (spec 40 §4.5, step 4): the first match, one level of indexes deep.
 *
 * Two extensions: Docker's media types are known too, and a single candidate that is an artifact is taken, since it has
 * no platform to ask for (B-5). A single delta is taken whatever the tag.
 *
 * @throws ImageSourceError `TAG_NOT_FOUND`, `PLATFORM_NOT_FOUND`, `UNEXPECTED_MEDIA_TYPE`, `NESTED_INDEX`
 */
export async function resolveManifest(
  index: ImageIndex,
  readBlob: BlobReader,
  options: ResolveOptions,
): Promise<ManifestDocument> {
  const [only, second] = index.manifests;
  if (only !== undefined && second === undefined && isManifestMediaType(only.mediaType)) {
    const manifest = await readManifest(only, readBlob);
    if (isDelta(manifest.value)) return manifest;
  }
  return await new Resolver(readBlob, options.platform).resolve(selectByTag(index, options.tag));
}

const CHOOSE_PLATFORM = 'Choose what there is with --platform OS/ARCH[/VARIANT].';

/**
 * An image that is in no index is for whom it is for; but one for another platform than was asked for is wrong.
 *
 * @param platform undefined: nobody asked.
 * @returns the same manifest.
 * @throws ImageSourceError `PLATFORM_NOT_FOUND`
 */
export async function requirePlatform(
  manifest: ManifestDocument,
  platform: Platform | undefined,
  readBlob: BlobReader,
): Promise<ManifestDocument> {
  if (platform === undefined || !isContainerImage(manifest.value)) return manifest;
  const { value } = parseConfig(await readBlob(manifest.value.config, MAX_JSON_BYTES));
  if (matchesPlatform(platform, value)) return manifest;
  const message = `No manifest found for platform ${formatPlatform(platform)}; available: ${formatPlatform(value)}`;
  throw new ImageSourceError('PLATFORM_NOT_FOUND', message, { hint: CHOOSE_PLATFORM });
}

async function readManifest(descriptor: Descriptor, readBlob: BlobReader): Promise<ManifestDocument> {
  return parseManifest(await readBlob(descriptor, MAX_MANIFEST_BYTES));
}

function selectByTag(index: ImageIndex, tag: string | undefined): readonly Descriptor[] {
  if (tag === undefined) {
    if (index.manifests.length > 0) return index.manifests;
    throw new ImageSourceError('PLATFORM_NOT_FOUND', 'Image index contains no manifests');
  }
  const tagOf = (entry: Descriptor): string | undefined => entry.annotations?.[REF_NAME_ANNOTATION];
  const selected = index.manifests.filter((entry) => tagOf(entry) === tag);
  if (selected.length > 0) return selected;
  const tags = [...new Set(index.manifests.map(tagOf))].filter((known) => known !== undefined);
  throw new ImageSourceError('TAG_NOT_FOUND', `Tag '${tag}' not found in image index`, {
    hint: tags.length === 0 ? 'The index has no tags.' : `The index has: ${listed(tags)}.`,
  });
}

class Resolver {
  readonly #readBlob: BlobReader;
  readonly #platform: Platform;
  /** Distinct entries that were tested. An index may list one blob a million times; each is read once. */
  readonly #tested = new Map<OciDigest, Descriptor>();
  readonly #offered: string[] = [];

  constructor(readBlob: BlobReader, platform: Platform) {
    this.#readBlob = readBlob;
    this.#platform = platform;
  }

  async resolve(candidates: readonly Descriptor[]): Promise<ManifestDocument> {
    const seenIndexes = new Set<OciDigest>();
    for (const candidate of candidates) {
      if (!isIndexMediaType(candidate.mediaType)) {
        const manifest = await this.#test(candidate);
        if (manifest !== undefined) return manifest;
      } else if (!seenIndexes.has(candidate.digest)) {
        seenIndexes.add(candidate.digest);
        const manifest = await this.#testNested(candidate);
        if (manifest !== undefined) return manifest;
      }
    }
    return (await this.#onlyArtifact()) ?? this.#fail();
  }

  async #testNested(descriptor: Descriptor): Promise<ManifestDocument | undefined> {
    const { value } = parseIndex(await this.#readBlob(descriptor, MAX_MANIFEST_BYTES), MAX_MANIFEST_BYTES);
    for (const entry of value.manifests) {
      if (isIndexMediaType(entry.mediaType)) {
        throw new ImageSourceError('NESTED_INDEX', 'Nested image indices are not supported');
      }
      const manifest = await this.#test(entry);
      if (manifest !== undefined) return manifest;
    }
    return undefined;
  }

  /** The manifest of an entry, if it is for the platform. */
  async #test(entry: Descriptor): Promise<ManifestDocument | undefined> {
    if (!isManifestMediaType(entry.mediaType)) {
      throw new ImageSourceError('UNEXPECTED_MEDIA_TYPE', `Unexpected media type ${entry.mediaType}`);
    }
    if (entry.platform !== undefined) {
      this.#tested.set(entry.digest, entry);
      this.#offered.push(`${entry.platform.os}/${entry.platform.architecture}`);
      return matchesPlatform(this.#platform, entry.platform) ? await readManifest(entry, this.#readBlob) : undefined;
    }
    if (this.#tested.has(entry.digest)) return undefined;
    this.#tested.set(entry.digest, entry);
    const manifest = await readManifest(entry, this.#readBlob);
    if (!isContainerImage(manifest.value)) return undefined;
    const config = await this.#readConfig(manifest.value.config);
    return matchesPlatform(this.#platform, config.value) ? manifest : undefined;
  }

  async #readConfig(descriptor: Descriptor): Promise<ConfigDocument> {
    return parseConfig(await this.#readBlob(descriptor, MAX_JSON_BYTES));
  }

  async #onlyArtifact(): Promise<ManifestDocument | undefined> {
    const [only, second] = this.#tested.values();
    if (only === undefined || second !== undefined) return undefined;
    const manifest = await readManifest(only, this.#readBlob);
    return isContainerImage(manifest.value) ? undefined : manifest;
  }

  #fail(): never {
    const wanted = `${this.#platform.os}/${this.#platform.architecture}`;
    const available = this.#offered.length === 0 ? '(no platform info)' : listed(this.#offered);
    const message = `No manifest found for platform ${wanted}; available: ${available}`;
    throw new ImageSourceError('PLATFORM_NOT_FOUND', message, { hint: CHOOSE_PLATFORM });
  }
}

/** Bounded, because an index may be huge. */
function listed(items: readonly string[]): string {
  const shown = items.slice(0, MAX_LISTED_PLATFORMS).join(', ');
  return items.length > MAX_LISTED_PLATFORMS ? `${shown}, ...` : shown;
}
