import { fstatSync, readFileSync } from 'node:fs';

/** Who holds locks of a file, as far as the kernel tells: `/proc/locks` lists none of other PID namespaces. */

/** A process that holds a lock. */
export interface LockHolder {
  readonly pid: number;
  /** Its name as the kernel has it, at most 15 bytes; it chooses that itself. */
  readonly name: string;
}

/** The other processes that hold a `flock` of an open file. On some file systems (btrfs) none is found. */
export function lockHolders(fd: number): LockHolder[] {
  const holders = new Map<number, LockHolder>();
  for (const { type, pid, isWaiting } of locksOf(lockedFile(fd) ?? fileOf(fd))) {
    if (type !== 'FLOCK' || isWaiting || pid === process.pid || !(pid > 0)) continue;
    holders.set(pid, { pid, name: readText(`/proc/${pid}/comm`).trimEnd() });
  }
  return [...holders.values()];
}

/** Whether the lock of a descriptor is the only one on its file. False where none is listed, or where somebody waits. */
export function isOnlyLockHolder(fd: number): boolean {
  const file = lockedFile(fd);
  return file !== undefined && locksOf(file).length === 1;
}

interface FileLock {
  readonly type: string;
  readonly pid: number;
  readonly isWaiting: boolean;
}

/** All locks of a file, of whatever type. */
function locksOf(file: string): FileLock[] {
  const locks: FileLock[] = [];
  for (const line of readText('/proc/locks').split('\n')) {
    const lock = parseLock(line);
    if (lock?.file === file) locks.push(lock);
  }
  return locks;
}

/** `1: FLOCK  ADVISORY  READ 31035 fe:00:10215453 0 EOF`; who waits has `->` after the number. */
function parseLock(line: string): (FileLock & { readonly file: string }) | undefined {
  const [, waiting, type = '', pid, file = ''] =
    /^\d+: (-> )?(\w+)\s+\S+\s+\S+\s+(-?\d+) ([0-9a-f]+:[0-9a-f]+:\d+) /.exec(line) ?? [];
  return file === '' ? undefined : { type, pid: Number(pid), isWaiting: waiting !== undefined, file };
}

/** The file that a descriptor holds a `flock` of, as the kernel lists it; undefined if it holds none. */
function lockedFile(fd: number): string | undefined {
  const lines = readText(`/proc/self/fdinfo/${fd}`).matchAll(/^lock:\s+(.*)$/gm);
  return [...lines].map(([, line = '']) => parseLock(line)).find((lock) => lock?.type === 'FLOCK')?.file;
}

/** The same for one that holds none. */
function fileOf(fd: number): string {
  const { dev, ino } = fstatSync(fd, { bigint: true });
  const major = (dev >> 8n) & 0xfffn;
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xfff00n);
  return `${hex2(major)}:${hex2(minor)}:${ino}`;
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
