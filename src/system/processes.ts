import { openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { type ByteString, byteStringFrom, byteStringFromText } from '../bytes/byte-string.js';
import { readStart, withFd } from '../fs/files.js';
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
  const pids = processIds().filter((pid) => pid !== String(process.pid));
  for (const pid of pids.slice(0, MAX_PROCESSES)) {
    const how = useOf(`/proc/${pid}`, mountPoint);
    if (how !== undefined) result.push({ pid: Number(pid), name: nameOf(`/proc/${pid}`), how });
    if (result.length >= limit) break;
  }
  return result;
}

export interface NamespaceProcess {
  readonly pid: number;
  /** `comm`: at most 15 bytes. */
  readonly name: string;
}

/** @param namespace as `/proc/<pid>/ns/mnt` reads: `mnt:[4026531841]`. Processes that may not be looked at are left out. */
export function processesInMountNamespace(namespace: string): NamespaceProcess[] {
  return processIds()
    .filter((pid) => linkTarget(`/proc/${pid}/ns/mnt`) === namespace)
    .map((pid) => ({ pid: Number(pid), name: nameOf(`/proc/${pid}`) }));
}

function processIds(): string[] {
  return listNames('/proc').filter((name) => /^[1-9][0-9]*$/.test(name));
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
  return startOf(file, MAX_MAPS_SIZE)
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

/** Empty of a process that has ended, or is somebody else's. */
function startOf(file: string, limit: number): ByteString {
  try {
    return byteStringFrom(withFd(openSync(file, 'r'), (fd) => readStart(fd, limit)));
  } catch {
    return byteStringFromText('');
  }
}
