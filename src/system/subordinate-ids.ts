import { openSync } from 'node:fs';
import { readStart, withFd } from '../fs/files.js';

/** A range of ids that a user may map into its user namespaces (subuid(5)). */
export interface SubordinateRange {
  readonly start: number;
  readonly count: number;
}

const MAX_FILE_SIZE = 4 << 20;

/**
 * The ranges of a user in the text of `/etc/subuid` or `/etc/subgid`: lines `user:100000:65536`, the user by name or by
 * number. Lines that are not of that form are skipped, as the programs that set up the mapping do.
 */
export function parseSubordinateIds(text: string, user: string | undefined, uid: number): SubordinateRange[] {
  return rangesOf(text).flatMap(({ owner, ...range }) => (owner === user || owner === String(uid) ? range : []));
}

function rangesOf(text: string): (SubordinateRange & { readonly owner: string })[] {
  return text.split('\n').flatMap((line) => {
    const [owner, start, count, ...rest] = line.split(':');
    if (owner === undefined || start === undefined || count === undefined || rest.length > 0) return [];
    if (!isId(start) || !isId(count) || Number(count) === 0) return [];
    return { owner, start: Number(start), count: Number(count) };
  });
}

const FILES = ['/etc/subuid', '/etc/subgid'] as const;
/** Where useradd(8) begins. */
const FIRST_FREE = 100_000;

/**
 * The first id that is above all that users have: with the same ids two users would be one for the kernel.
 *
 * @param texts of both files; those of this machine by default.
 */
export function firstFreeSubordinateId(texts: readonly string[] = FILES.map(readText)): number {
  const ends = texts.flatMap((text) => rangesOf(text).map(({ start, count }) => start + count));
  return Math.max(FIRST_FREE, ...ends);
}

/** {@link parseSubordinateIds} of a file; none where it cannot be read. */
export function readSubordinateIds(
  file: (typeof FILES)[number],
  user: string | undefined,
  uid: number,
): SubordinateRange[] {
  return parseSubordinateIds(readText(file), user, uid);
}

/** Empty where it cannot be read. */
function readText(file: string): string {
  try {
    return withFd(openSync(file, 'r'), (fd) => readStart(fd, MAX_FILE_SIZE)).toString('utf8');
  } catch {
    return '';
  }
}

function isId(text: string): boolean {
  return /^[0-9]{1,10}$/.test(text) && Number(text) <= 0xffff_ffff;
}
