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
  const ranges: SubordinateRange[] = [];
  for (const line of text.split('\n')) {
    const [owner, start, count, ...rest] = line.split(':');
    if (owner === undefined || start === undefined || count === undefined || rest.length > 0) continue;
    if (owner !== user && owner !== String(uid)) continue;
    if (!isId(start) || !isId(count) || Number(count) === 0) continue;
    ranges.push({ start: Number(start), count: Number(count) });
  }
  return ranges;
}

/** {@link parseSubordinateIds} of a file; none where it cannot be read. */
export function readSubordinateIds(
  file: '/etc/subuid' | '/etc/subgid',
  user: string | undefined,
  uid: number,
): SubordinateRange[] {
  try {
    const start = withFd(openSync(file, 'r'), (fd) => readStart(fd, MAX_FILE_SIZE));
    return parseSubordinateIds(start.toString('utf8'), user, uid);
  } catch {
    return [];
  }
}

function isId(text: string): boolean {
  return /^[0-9]{1,10}$/.test(text) && Number(text) <= 0xffff_ffff;
}
