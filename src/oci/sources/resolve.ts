import { MAX_JSON_BYTES, MAX_MANIFEST_BYTES } from '../../json/json.js';
import { ImageSourceError } from '../blob/blob-error.js';
import { type ConfigDocument, parseConfig } from '../model/config.js';
import type { Descriptor } from '../model/descriptor.js';
import type { OciDigest } from '../model/digest.js';
import { type ImageIndex, parseIndex } from '../model/index-document.js';
import { isContainerImage, isDelta, type ManifestDocument, parseManifest } from '../model/manifest.js';
import {
  isIndexMediaType,
  isManifestMediaType,
  isSchema1MediaType,
  REF_NAME_ANNOTATION,
  SCHEMA1_HINT,
  ZSTD_ANNOTATION,
} from '../model/media-types.js';
import { formatPlatform, type Platform, platformRank } from '../model/platform.js';

/** Reads a small blob and verifies it by its descriptor. */
export type BlobReader = (descriptor: Descriptor, maxBytes: number) => Promise<Buffer>;

export interface ResolveOptions {
  /** Only entries of the index with this tag. */
  readonly tag?: string;
  readonly platform: Platform;
  /** The index is the list of a layout, whose entries are images in their own right, and not an image index. */
  readonly isLayout?: boolean;
}

const MAX_LISTED_PLATFORMS = 10;

/**
 * Picks the manifest for a platform from an index (spec 40 §4.5, step 4), one level of indexes deep: the best match among
 * the entries of an index, as containers/image chooses, and the first index of a layout that has one. Entries of unknown media
 * types are passed over, as the image specification asks for.
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
    const manifest = tryParseManifest(await readBlob(only, MAX_MANIFEST_BYTES));
    if (manifest !== undefined && isDelta(manifest.value)) return manifest;
  }
  return await new Resolver(readBlob, options).resolve(selectByTag(index, options.tag));
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
  if (configRank(platform, value) !== undefined) return manifest;
  const message = `No manifest found for platform ${formatPlatform(platform)}; available: ${formatPlatform(value)}`;
  throw new ImageSourceError('PLATFORM_NOT_FOUND', message, { hint: CHOOSE_PLATFORM });
}

async function readManifest(descriptor: Descriptor, readBlob: BlobReader): Promise<ManifestDocument> {
  return parseManifest(await readBlob(descriptor, MAX_MANIFEST_BYTES));
}

/** What cannot be parsed is no delta, and does not matter unless it is chosen. */
function tryParseManifest(bytes: Buffer): ManifestDocument | undefined {
  try {
    return parseManifest(bytes);
  } catch {
    return undefined;
  }
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

/** The platform of a config; an image that names no system or architecture is for any. */
function configRank(wanted: Platform, { os, architecture, variant }: Platform): number | undefined {
  const offered = { os: os || wanted.os, architecture: architecture || wanted.architecture };
  return platformRank(wanted, variant === undefined ? offered : { ...offered, variant });
}

class Resolver {
  readonly #readBlob: BlobReader;
  readonly #platform: Platform;
  readonly #isLayout: boolean;
  /** Distinct entries that were tested. An index may list one blob a million times; each is read once. */
  readonly #tested = new Map<OciDigest, Descriptor>();
  readonly #offered: string[] = [];
  /** Of the first entry that is neither a manifest nor an index. */
  #unknownType: string | undefined;
  #hasNested = false;

  constructor(readBlob: BlobReader, { platform, isLayout = false }: ResolveOptions) {
    this.#readBlob = readBlob;
    this.#platform = platform;
    this.#isLayout = isLayout;
  }

  async resolve(candidates: readonly Descriptor[]): Promise<ManifestDocument> {
    const seenIndexes = new Set<OciDigest>();
    const manifests = candidates.filter((entry) => !isIndexMediaType(entry.mediaType));
    for (const candidate of candidates) {
      let manifest: ManifestDocument | undefined;
      // All manifests are one group, with the place of the first.
      if (candidate === manifests[0]) {
        manifest = await (this.#isLayout ? this.#chooseInOrder(manifests) : this.#choose(manifests));
      }
      if (isIndexMediaType(candidate.mediaType) && !seenIndexes.has(candidate.digest)) {
        seenIndexes.add(candidate.digest);
        manifest = await this.#chooseNested(candidate);
      }
      if (manifest !== undefined) return manifest;
    }
    return (await this.#onlyArtifact()) ?? this.#fail();
  }

  async #chooseNested(descriptor: Descriptor): Promise<ManifestDocument | undefined> {
    const { value } = parseIndex(await this.#readBlob(descriptor, MAX_MANIFEST_BYTES), MAX_MANIFEST_BYTES);
    const entries = value.manifests.filter((entry) => !isIndexMediaType(entry.mediaType));
    if (entries.length < value.manifests.length) this.#hasNested = true;
    return await this.#choose(entries);
  }

  /** The best of the entries that name their platform; else the best of the others by their configs. */
  async #choose(entries: readonly Descriptor[]): Promise<ManifestDocument | undefined> {
    let best: Match<Descriptor> | undefined;
    for (const entry of entries) {
      const rank = this.#rankOfEntry(entry);
      if (rank === undefined) continue;
      if (isBetter(rank, best) || (rank === best?.rank && isZstd(entry) && !isZstd(best.item))) {
        best = { item: entry, rank };
      }
    }
    if (best !== undefined) return await readManifest(best.item, this.#readBlob);
    return await this.#chooseInOrder(entries.filter((entry) => !namesPlatform(entry)));
  }

  /** The first of the best, whether the entry or the config tells its platform. */
  async #chooseInOrder(entries: readonly Descriptor[]): Promise<ManifestDocument | undefined> {
    let best: Match<ManifestDocument> | undefined;
    for (const entry of entries) {
      if (namesPlatform(entry)) {
        const rank = this.#rankOfEntry(entry);
        if (isBetter(rank, best)) best = { item: await readManifest(entry, this.#readBlob), rank };
      } else {
        const match = await this.#testConfig(entry);
        if (match !== undefined && isBetter(match.rank, best)) best = match;
      }
      if (best?.rank === 0) break;
    }
    return best?.item;
  }

  #rankOfEntry(entry: Descriptor): number | undefined {
    if (!this.#isManifest(entry) || !namesPlatform(entry)) return undefined;
    this.#tested.set(entry.digest, entry);
    this.#offered.push(formatPlatform(entry.platform));
    return platformRank(this.#platform, entry.platform);
  }

  /** The manifest of an entry that does not name its platform, if its config names one that serves. */
  async #testConfig(entry: Descriptor): Promise<Match<ManifestDocument> | undefined> {
    if (!this.#isManifest(entry) || this.#tested.has(entry.digest)) return undefined;
    this.#tested.set(entry.digest, entry);
    const manifest = await readManifest(entry, this.#readBlob);
    if (!isContainerImage(manifest.value)) return undefined;
    const config = await this.#readConfig(manifest.value.config);
    const rank = configRank(this.#platform, config.value);
    return rank === undefined ? undefined : { item: manifest, rank };
  }

  #isManifest({ mediaType }: Descriptor): boolean {
    if (isManifestMediaType(mediaType)) return true;
    this.#unknownType ??= mediaType;
    return false;
  }

  async #readConfig(descriptor: Descriptor): Promise<ConfigDocument> {
    return parseConfig(await this.#readBlob(descriptor, MAX_JSON_BYTES));
  }

  async #onlyArtifact(): Promise<ManifestDocument | undefined> {
    const [only, second] = this.#tested.values();
    if (only === undefined || second !== undefined) return undefined;
    const manifest = tryParseManifest(await this.#readBlob(only, MAX_MANIFEST_BYTES));
    return manifest === undefined || isContainerImage(manifest.value) ? undefined : manifest;
  }

  #fail(): never {
    if (this.#hasNested) throw new ImageSourceError('NESTED_INDEX', 'Nested image indices are not supported');
    if (this.#tested.size === 0 && this.#unknownType !== undefined) {
      const message = `Unexpected media type ${this.#unknownType}`;
      throw new ImageSourceError('UNEXPECTED_MEDIA_TYPE', message, {
        hint: isSchema1MediaType(this.#unknownType) ? SCHEMA1_HINT : 'This is no container image.',
      });
    }
    const wanted = formatPlatform(this.#platform);
    const available = this.#offered.length === 0 ? '(no platform info)' : listed(this.#offered);
    const message = `No manifest found for platform ${wanted}; available: ${available}`;
    throw new ImageSourceError('PLATFORM_NOT_FOUND', message, { hint: CHOOSE_PLATFORM });
  }
}

/** What serves the request, and how well: the smaller the better. */
interface Match<T> {
  readonly item: T;
  readonly rank: number;
}

function isBetter(rank: number | undefined, best: Match<unknown> | undefined): rank is number {
  return rank !== undefined && (best === undefined || rank < best.rank);
}

type WithPlatform = Descriptor & Required<Pick<Descriptor, 'platform'>>;

/** Docker's lists have a platform for every entry, which may be empty. */
function namesPlatform(entry: Descriptor): entry is WithPlatform {
  return entry.platform !== undefined && entry.platform.os !== '' && entry.platform.architecture !== '';
}

function isZstd({ annotations }: Descriptor): boolean {
  return annotations?.[ZSTD_ANNOTATION] === 'true';
}

/** Bounded, because an index may be huge. */
function listed(items: readonly string[]): string {
  const shown = items.slice(0, MAX_LISTED_PLATFORMS).join(', ');
  return items.length > MAX_LISTED_PLATFORMS ? `${shown}, ...` : shown;
}
