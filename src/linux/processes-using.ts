import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { type ByteString, byteStringFrom } from '../bytes/byte-string.js';
import { isAtOrBelow } from './mount-info.js';

/** A process that keeps a mount busy. */
export interface ProcessUse {
  readonly pid: number;
  /** Of its program: text for people, at most 15 bytes of it. */
  readonly name: string;
  readonly how: 'working directory' | 'root directory' | 'program' | 'open file' | 'mapped file';
}

const MAX_PROCESSES = 20_000;
const MAX_DESCRIPTORS = 20_000;
const MAX_MAPS_SIZE = 4 << 20;

/**
 * Processes that use something at or below a mount point, as far as `/proc` lets us see them: an ordinary user sees only
 * its own. The calling process does not count. Nothing of the mount itself is touched, so that this does not hang where its server does.
 *
 * @param limit of the result.
 */
export function processesUsing(mountPoint: ByteString, limit: number): ProcessUse[] {
  const result: ProcessUse[] = [];
  const pids = listNames('/proc').filter((name) => /^[1-9][0-9]*$/.test(name) && name !== String(process.pid));
  for (const pid of pids.slice(0, MAX_PROCESSES)) {
    const how = useOf(`/proc/${pid}`, mountPoint);
    if (how !== undefined) result.push({ pid: Number(pid), name: nameOf(`/proc/${pid}`), how });
    if (result.length >= limit) break;
  }
  return result;
}

function useOf(directory: string, mountPoint: ByteString): ProcessUse['how'] | undefined {
  const leadsThere = (link: string): boolean => {
    const target = linkTarget(link);
    return target !== undefined && isAtOrBelow(target, mountPoint);
  };
  if (leadsThere(`${directory}/cwd`)) return 'working directory';
  if (leadsThere(`${directory}/root`)) return 'root directory';
  if (leadsThere(`${directory}/exe`)) return 'program';
  const descriptors = listNames(`${directory}/fd`).slice(0, MAX_DESCRIPTORS);
  if (descriptors.some((fd) => leadsThere(`${directory}/fd/${fd}`))) return 'open file';
  return mappedPaths(`${directory}/maps`).some((path) => isAtOrBelow(path, mountPoint)) ? 'mapped file' : undefined;
}

function mappedPaths(file: string): string[] {
  // `7f00-7f10 r-xp 00000000 08:01 123    /usr/lib/x.so`: the path is the sixth field, and has newlines as `\012`.
  return readStart(file, MAX_MAPS_SIZE)
    .split('\n')
    .flatMap((line) => /^(?:\S+ +){5}(\/.*)$/.exec(line)?.[1] ?? [])
    .map((path) => path.replaceAll('\\012', '\n'));
}

function nameOf(directory: string): string {
  try {
    return readFileSync(`${directory}/comm`, 'utf8').trimEnd();
  } catch {
    return '?';
  }
}

/** Without what cannot be seen, and what is gone by now. */
function listNames(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function linkTarget(link: string): ByteString | undefined {
  try {
    return byteStringFrom(readlinkSync(link, 'buffer'));
  } catch {
    return undefined;
  }
}

function readStart(file: string, limit: number): ByteString {
  const chunks: Buffer[] = [];
  try {
    const fd = openSync(file, 'r');
    try {
      for (let size = 0; size < limit; ) {
        const chunk = Buffer.allocUnsafe(64 << 10);
        const count = readSync(fd, chunk);
        if (count === 0) break;
        chunks.push(chunk.subarray(0, count));
        size += count;
      }
    } finally {
      closeSync(fd);
    }
  } catch {
    // The process has ended, or is somebody else's.
  }
  return byteStringFrom(Buffer.concat(chunks));
}
