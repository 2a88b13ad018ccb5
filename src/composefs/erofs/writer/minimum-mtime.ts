import type { Stat } from '../../tree/stat.js';
import type { ErofsDialect } from './options.js';

export interface Mtime {
  readonly sec: number;
  readonly nsec: number;
}

/**
 * The least mtime of some inodes (spec 20 §3.9). composefs-rs compares seconds as unsigned, so that those before 1970
 * come last; C compares them as signed.
 */
export function minimumMtime(inodes: Iterable<{ readonly stat: Stat }>, dialect: ErofsDialect | undefined): Mtime {
  let minimum: Stat | undefined;
  for (const { stat } of inodes) {
    if (minimum === undefined || isLess(stat, minimum, dialect === 'mkcomposefs')) minimum = stat;
  }
  return { sec: minimum?.mtimeSec ?? 0, nsec: minimum?.mtimeNsec ?? 0 };
}

function isLess(a: Stat, b: Stat, isSigned: boolean): boolean {
  if (a.mtimeSec === b.mtimeSec) return a.mtimeNsec < b.mtimeNsec;
  if (!isSigned && a.mtimeSec < 0 !== b.mtimeSec < 0) return a.mtimeSec >= 0;
  return a.mtimeSec < b.mtimeSec;
}
