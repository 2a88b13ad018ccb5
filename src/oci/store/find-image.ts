import { listEntries } from '../../composefs/repository/names/category.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { ComposefsError } from '../../errors.js';
import { tryNameText } from '../../fs/directory-entries.js';
import { type OciDigest, parseOciDigest } from '../model/digest.js';
import { LIST_TAGS_HINT, OciRefNotFound } from './errors.js';
import { CONFIG_STREAM_PREFIX, MANIFEST_STREAM_PREFIX } from './identifiers.js';
import { OciImage } from './image.js';
import { manifestsOfConfig } from './stored-manifests.js';
import { hasTag } from './tags.js';

/** Fewer digits of a digest are taken for a tag only: `oci images` prints 12. */
const MIN_DIGITS = 8;

/**
 * The stored image that a text names:
 *
 * - a tag;
 * - the digest of its manifest or of its config: `sha256:…`, also with `@` or `NAME@` before it, whatever the name is;
 * - the first 8 or more digits of such a digest, with or without `sha256:`, if only one image has them.
 *
 * A tag goes first: it is what somebody has chosen. Of several manifests with one config the first by digest is taken.
 *
 * @throws OciRefNotFound; ComposefsError `AMBIGUOUS_IMAGE` with the images that it could be
 */
export function findImage(repo: ReadableRepository, text: string): OciImage {
  if (hasTag(repo, text)) return OciImage.openRef(repo, text);
  const [, digits = ''] = /^(?:[^@]*@)?(?:sha256:)?([0-9a-f]+)$/.exec(text) ?? [];
  const whole = parsed(text.slice(text.indexOf('@') + 1));
  const wanted = whole ?? (digits.length >= MIN_DIGITS ? `sha256:${digits}` : undefined);
  if (wanted === undefined) throw new OciRefNotFound(text);
  const manifest = onlyOne(text, 'manifests', digestsFrom(repo, MANIFEST_STREAM_PREFIX, wanted));
  if (manifest !== undefined) return OciImage.open(repo, manifest);
  const config = onlyOne(text, 'configs', digestsFrom(repo, CONFIG_STREAM_PREFIX, wanted));
  const [stored] = config === undefined ? [] : manifestsOfConfig(repo, config);
  if (stored === undefined) throw new OciRefNotFound(text);
  return OciImage.open(repo, stored.digest);
}

function parsed(text: string): OciDigest | undefined {
  try {
    return parseOciDigest(text);
  } catch {
    return undefined;
  }
}

/** The digests in the names of streams that begin with `start`. */
function digestsFrom(repo: ReadableRepository, prefix: string, start: string): OciDigest[] {
  const digests: OciDigest[] = [];
  for (const { name } of listEntries(repo, 'streams')) {
    if (!name.startsWith(prefix + start)) continue;
    const digest = parsed((tryNameText(name) ?? '').slice(prefix.length));
    if (digest !== undefined) digests.push(digest);
  }
  return digests.sort();
}

function onlyOne(text: string, what: string, digests: readonly OciDigest[]): OciDigest | undefined {
  if (digests.length <= 1) return digests[0];
  const some = digests.slice(0, 5).join(', ');
  const message = `${text} is the beginning of ${digests.length} ${what}: ${some}${digests.length > 5 ? ', …' : ''}`;
  throw new ComposefsError('AMBIGUOUS_IMAGE', message, { hint: `give more digits, or a tag; ${LIST_TAGS_HINT}` });
}
