import { fstatSync, readFileSync } from 'node:fs';

/** A process that holds a lock. */
export interface LockHolder {
  readonly pid: number;
  /** Its name as the kernel has it, at most 15 bytes; it chooses that itself. */
  readonly name: string;
}

/**
 * The processes that hold a `flock` of an open file, as `/proc/locks` says; those of other pid namespaces are not in it,
 * and on some file systems (btrfs) none is found.
 */
export function lockHolders(fd: number): LockHolder[] {
  const { dev, ino } = fstatSync(fd, { bigint: true });
  const major = (dev >> 8n) & 0xfffn;
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xfff00n);
  const file = `${hex2(major)}:${hex2(minor)}:${ino}`;
  const holders = new Map<number, LockHolder>();
  for (const line of readText('/proc/locks').split('\n')) {
    // `1: FLOCK  ADVISORY  READ 31035 fe:00:10215453 0 EOF`; who waits has `->` after the number.
    const [, type, , , pid, place] = line.split(/\s+/);
    if (type !== 'FLOCK' || place !== file || Number(pid) === process.pid || !(Number(pid) > 0)) continue;
    holders.set(Number(pid), { pid: Number(pid), name: readText(`/proc/${pid}/comm`).trimEnd() });
  }
  return [...holders.values()];
}

function hex2(value: bigint): string {
  return value.toString(16).padStart(2, '0');
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
