import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { ComposefsError } from '../../errors.js';
import type { OciDigest } from '../model/digest.js';
import { isContainerImage } from '../model/manifest.js';
import { findDigests, firstDigits, wholeDigest } from './digest-text.js';
import { LIST_TAGS_HINT, OciImageNotFound, OciRefNotFound } from './errors.js';
import { CONFIG_STREAM_PREFIX, configIdentifier, MANIFEST_STREAM_PREFIX } from './identifiers.js';
import { OciImage } from './image.js';
import { hasManifest } from './manifest-stream.js';
import { findManifestsOfConfig } from './stored-manifests.js';
import { hasTag, resolveRef } from './tags.js';

/** A stored manifest, as a text names it. */
export interface ImageName {
  readonly digest: OciDigest;
  /** The stream that a tag leads to, which is trusted; undefined for what was named by a digest. */
  readonly manifestVerity: ObjectId | undefined;
}

/**
 * The stored image that a text names:
 *
 * - the digest of its manifest or of its config: `sha256:…`, also with `@` or `NAME@` before it, whatever the name is;
 * - a tag;
 * - the first 8 or more digits of such a digest, with or without `sha256:`, if only one image has them.
 *
 * A whole digest goes first: no tag can stand in for what it names. Of several container images with one config the first
 * manifest by digest is taken: their files are the same.
 *
 * @throws OciRefNotFound; OciImageNotFound for a digest; ComposefsError `AMBIGUOUS_IMAGE` with the images that it could be
 */
export async function findImage(repo: ReadableRepository, text: string): Promise<OciImage> {
  const { digest, manifestVerity } = await resolveImage(repo, text);
  return OciImage.open(repo, digest, { manifestVerity });
}

/** {@link findImage} for what need not be intact: only manifests that name a config are read. */
export async function resolveImage(repo: ReadableRepository, text: string): Promise<ImageName> {
  const whole = wholeDigest(text);
  if (whole !== undefined) {
    const digest = await byDigest(repo, text, whole);
    if (digest !== undefined) return { digest, manifestVerity: undefined };
  }
  const isDigest = text.startsWith('@');
  if (!isDigest && hasTag(repo, text)) {
    const [digest, manifestVerity] = resolveRef(repo, text);
    return { digest, manifestVerity };
  }
  const start = firstDigits(text);
  const digest = whole === undefined && start !== undefined ? await byStart(repo, text, start) : undefined;
  if (digest !== undefined) return { digest, manifestVerity: undefined };
  if (whole !== undefined && (isDigest || /^sha(?:256|384|512):/.test(whole))) throw new OciImageNotFound(whole);
  throw new OciRefNotFound(text);
}

async function byDigest(repo: ReadableRepository, text: string, digest: OciDigest): Promise<OciDigest | undefined> {
  if (hasManifest(repo, digest) !== undefined) return digest;
  return repo.hasStream(configIdentifier(digest)) === undefined ? undefined : await ofConfig(repo, text, digest);
}

async function byStart(repo: ReadableRepository, text: string, start: string): Promise<OciDigest | undefined> {
  const found = new Set(findDigests(repo, MANIFEST_STREAM_PREFIX, start));
  for (const config of findDigests(repo, CONFIG_STREAM_PREFIX, start)) {
    const digest = await ofConfig(repo, text, config);
    if (digest !== undefined) found.add(digest);
  }
  return onlyOne(text, [...found]);
}

/** A manifest with that config. Artifacts have their empty config in common, and nothing else. */
async function ofConfig(repo: ReadableRepository, text: string, config: OciDigest): Promise<OciDigest | undefined> {
  const stored = await findManifestsOfConfig(repo, config);
  const digests = stored.map(({ digest }) => digest).sort();
  return stored.every(({ manifest }) => isContainerImage(manifest)) ? digests[0] : onlyOne(text, digests);
}

function onlyOne(text: string, digests: readonly OciDigest[]): OciDigest | undefined {
  if (digests.length <= 1) return digests[0];
  const some = digests.slice(0, 5).join(', ');
  const message = `${text} could be ${digests.length} images: ${some}${digests.length > 5 ? ', …' : ''}`;
  throw new ComposefsError('AMBIGUOUS_IMAGE', message, { hint: `give more digits, or a tag; ${LIST_TAGS_HINT}` });
}
