import { listEntries } from '../../composefs/repository/names/category.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { tryNameText } from '../../fs/directory-entries.js';
import { NAME_MAX } from '../../linux/constants.js';
import { type OciDigest, parseOciDigest } from '../model/digest.js';

/** How people write digests: whole or by their first digits, with a name or `@` before them. */

/** Fewer digits are no digest: `oci images` prints 12. */
export const MIN_DIGITS = 8;

/** The digest that a text is, or has behind an `@`; undefined for anything else. */
export function wholeDigest(text: string): OciDigest | undefined {
  return parsed(text.slice(text.indexOf('@') + 1));
}

/** `sha256:` and the 8 or more digits that a text is, or has behind an `@`; undefined for anything else. */
export function firstDigits(text: string): string | undefined {
  const [, algorithm = 'sha256:', digits = ''] = /^(?:[^@]*@)?(sha256:|sha384:|sha512:)?([0-9a-f]+)$/.exec(text) ?? [];
  return digits.length >= MIN_DIGITS ? algorithm + digits : undefined;
}

/** Whether a text names something by a digest, whole or by its first digits. */
export function isDigestText(text: string): boolean {
  return wholeDigest(text) !== undefined || firstDigits(text) !== undefined;
}

/** The digests that begin with `start` in the names of streams, sorted. */
export function findDigests(repo: ReadableRepository, prefix: string, start: string): OciDigest[] {
  const digests: OciDigest[] = [];
  for (const { name } of listEntries(repo, 'streams')) {
    if (!name.startsWith(prefix + start)) continue;
    const digest = parsed((tryNameText(name) ?? '').slice(prefix.length));
    if (digest !== undefined) digests.push(digest);
  }
  return digests.sort();
}

function parsed(text: string): OciDigest | undefined {
  // Together with the prefix of a stream this must be a file name.
  if (text.length > NAME_MAX - 32) return undefined;
  try {
    return parseOciDigest(text);
  } catch {
    return undefined;
  }
}
