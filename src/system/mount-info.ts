import { openSync, readFileSync } from 'node:fs';
import { type ByteString, byteStringFrom } from '../bytes/byte-string.js';
import { ComposefsError } from '../errors.js';
import { readStart, withFd } from '../fs/files.js';

/** One line of `/proc/<pid>/mountinfo` (proc_pid_mountinfo(5)), with the escapes resolved. */
export interface MountInfo {
  readonly id: number;
  /** The mount that this one is attached to; of the root of a mount namespace one that is not in the table. */
  readonly parentId: number;
  /** `major:minor` of the file system. */
  readonly device: string;
  /** Which directory of the file system is the root of the mount. */
  readonly root: ByteString;
  /** Relative to the root directory of the process. */
  readonly mountPoint: ByteString;
  readonly options: readonly ByteString[];
  /** `overlay`, `fuse.sshfs` */
  readonly fsType: ByteString;
  /** What was given as the device: may be anything, also empty. */
  readonly source: ByteString;
  /** Those of the file system, such as the layers of an overlay. */
  readonly superOptions: readonly ByteString[];
}

/** A line with a layer for each of the 500 that overlayfs takes is longer than a page. */
const MAX_TABLE_SIZE = 64 << 20;
const FIELDS_BEFORE_TAGS = 6;

/**
 * The mounts that this process can see, in the order of the kernel.
 *
 * @throws errors of `open(2)`; ComposefsError `INVALID_MOUNTINFO`
 */
export function readMountInfo(): MountInfo[] {
  const path = '/proc/self/mountinfo';
  const table = withFd(openSync(path, 'r'), (fd) => readStart(fd, MAX_TABLE_SIZE + 1));
  if (table.length > MAX_TABLE_SIZE) {
    throw new ComposefsError('INVALID_MOUNTINFO', `${path} has over ${MAX_TABLE_SIZE} bytes`);
  }
  return parseMountInfo(table);
}

/** The id of the mount by which a file was opened (proc_pid_fdinfo(5)); -1 if the kernel does not tell. */
export function mountIdOf(fd: number): number {
  return Number(/^mnt_id:\s*([0-9]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? -1);
}

/** @throws ComposefsError `INVALID_MOUNTINFO`, naming the line. */
export function parseMountInfo(table: Uint8Array): MountInfo[] {
  const text = byteStringFrom(table);
  if (text === '') return [];
  if (!text.endsWith('\n')) throw invalid(text.split('\n').length, 'it is cut off');
  return text
    .slice(0, -1)
    .split('\n')
    .map((line, index) => parseLine(line, index + 1));
}

/**
 * `36 35 98:0 /root /mount/point rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue`: the tags before the
 * hyphen are optional, the source may be empty.
 */
function parseLine(line: string, number: number): MountInfo {
  const fields = line.split(' ');
  const hyphen = fields.indexOf('-', FIELDS_BEFORE_TAGS);
  const [id = '', parentId = '', device = '', root = '', mountPoint = '', options = ''] = fields;
  const [fsType, source, superOptions] = hyphen < 0 ? [] : fields.slice(hyphen + 1);
  if (fsType === undefined || source === undefined || superOptions === undefined) {
    throw invalid(number, 'it has too few fields');
  }
  if (!/^[0-9]+$/.test(id) || !/^[0-9]+$/.test(parentId) || !/^[0-9]+:[0-9]+$/.test(device)) {
    throw invalid(number, 'it does not begin with the numbers of a mount');
  }
  return {
    id: Number(id),
    parentId: Number(parentId),
    device,
    root: unescapeOctal(root),
    mountPoint: unescapeOctal(mountPoint),
    options: options.split(',').map(unescapeOctal),
    fsType: unescapeOctal(fsType),
    source: unescapeOctal(source),
    // Commas in values are escaped, so the list is split before.
    superOptions: superOptions.split(',').map(unescapeOctal),
  };
}

/** `\040` for a space: the kernel escapes what separates fields, and the backslash. */
function unescapeOctal(text: string): ByteString {
  const bytes = text.replace(/\\([0-3][0-7]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
  return bytes as ByteString;
}

/**
 * The mount that a walk from the root to `path` ends in, where `path` is a mount point; undefined where it is none. Of
 * several mounts on top of each other that is the topmost, and mounts below one that covers them are not found.
 *
 * @param path absolute, without symlinks.
 */
export function visibleMountAt(mounts: readonly MountInfo[], path: ByteString): MountInfo | undefined {
  const ids = new Set(mounts.map((mount) => mount.id));
  const children = new Map<number, MountInfo[]>();
  const tops: MountInfo[] = [];
  for (const mount of mounts) {
    if (mount.parentId === mount.id || !ids.has(mount.parentId)) tops.push(mount);
    else addTo(children, mount.parentId, mount);
  }
  let current: MountInfo | undefined;
  // A table read while mounts come and go might lead in circles.
  for (let step = 0, next = firstOnTheWay(tops, path); next !== undefined && step <= mounts.length; step++) {
    current = next;
    next = firstOnTheWay(children.get(current.id) ?? [], path);
  }
  return current?.mountPoint === path ? current : undefined;
}

/** The mounts below a path, not those at it. */
export function mountsBelow(mounts: readonly MountInfo[], path: ByteString): MountInfo[] {
  return mounts.filter((mount) => mount.mountPoint !== path && isAtOrBelow(mount.mountPoint, path));
}

/** Whether `path` is `directory` or something in it. Both are absolute. */
export function isAtOrBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === '/' ? '/' : `${directory}/`);
}

function firstOnTheWay(mounts: readonly MountInfo[], path: ByteString): MountInfo | undefined {
  return mounts
    .filter((mount) => isAtOrBelow(path, mount.mountPoint))
    .reduce<MountInfo | undefined>(
      (first, mount) => (first === undefined || mount.mountPoint.length < first.mountPoint.length ? mount : first),
      undefined,
    );
}

function invalid(line: number, why: string): ComposefsError {
  return new ComposefsError('INVALID_MOUNTINFO', `line ${line} of the mount table cannot be understood: ${why}`);
}

function addTo<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
