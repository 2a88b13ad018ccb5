import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { ComposefsError } from '../../errors.js';
import { type OciDigest, parseOciDigest } from '../model/digest.js';
import { findDigests, firstDigits, wholeDigest } from './digest-text.js';
import {
  BLOB_STREAM_PREFIX,
  CONFIG_STREAM_PREFIX,
  LAYER_STREAM_PREFIX,
  MANIFEST_STREAM_PREFIX,
} from './identifiers.js';
import { hasTag } from './tags.js';

/** Streams by what stands before the digest in their names. */
const PREFIXES = [LAYER_STREAM_PREFIX, MANIFEST_STREAM_PREFIX, CONFIG_STREAM_PREFIX, BLOB_STREAM_PREFIX];

/**
 * The entry in `streams/` that a text names: by the `sha256:…` in its name, or the first 8 or more digits of that.
 *
 * @param prefixes what may stand before the digest.
 * @returns undefined if there is none.
 * @throws ComposefsError `AMBIGUOUS_STREAM`
 */
export function findStream(
  repo: ReadableRepository,
  text: string,
  prefixes: readonly string[] = PREFIXES,
): string | undefined {
  const whole = wholeDigest(text);
  for (const prefix of whole === undefined ? [] : prefixes) {
    if (repo.hasStream(prefix + whole) !== undefined) return prefix + whole;
  }
  const start = firstDigits(text);
  if (start === undefined) return undefined;
  const names = prefixes.flatMap((prefix) => findDigests(repo, prefix, start).map((digest) => prefix + digest));
  if (names.length <= 1) return names[0];
  const some = names.slice(0, 5).join(', ');
  const message = `${text} could be ${names.length} streams: ${some}${names.length > 5 ? ', …' : ''}`;
  throw new ComposefsError('AMBIGUOUS_STREAM', message, { hint: 'give more digits, or the whole name' });
}

/**
 * The diff_id of the stored layer that a text names: whole, or by its first 8 or more digits.
 *
 * @throws ComposefsError `LAYER_NOT_FOUND`, `AMBIGUOUS_STREAM`
 */
export function resolveLayer(repo: ReadableRepository, text: string): OciDigest {
  const name = findStream(repo, text, [LAYER_STREAM_PREFIX]);
  if (name !== undefined) return parseOciDigest(name.slice(LAYER_STREAM_PREFIX.length));
  const hint = hasTag(repo, text)
    ? `it is the tag of an image: \`cfsctl oci history ${text}\` lists its layers`
    : '`cfsctl oci history` lists the layers of an image';
  throw new ComposefsError('LAYER_NOT_FOUND', `Layer ${text} not found`, { hint });
}
