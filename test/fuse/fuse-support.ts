import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { join } from 'node:path';
import { byteStringFromText } from '../../src/bytes/byte-string.js';
import { unmountImage } from '../../src/composefs/mount/unmount.js';
import { Repository } from '../../src/composefs/repository/index.js';
import type { Directory } from '../../src/composefs/tree/inode.js';
import { errorCode } from '../../src/errors.js';
import { makeNode } from '../../src/linux/link.js';
import { hasCapability } from '../../src/linux/process.js';
import { readXattrs } from '../../src/linux/xattr.js';
import { readMountInfo } from '../../src/system/mount-info.js';
import { packageRoot } from '../support/paths.js';
import { findInPath } from '../support/programs.js';
import { until } from '../support/until.js';

/** For `skip`: why images cannot be mounted through FUSE here by root. */
export const cannotMount: string | false = reasonNotToMount();

function reasonNotToMount(): string | false {
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return hasCapability('CAP_SYS_ADMIN') ? false : 'mounting without fusermount3 needs root';
  } catch (error) {
    return `no FUSE: ${error}`;
  }
}

/** Runs `action` with an insecure repository and a directory to mount at, which is unmounted afterwards. */
export async function withRepository(
  directory: string,
  action: (repo: Repository, mountPoint: string) => Promise<void>,
): Promise<void> {
  const { repo } = await Repository.init(join(directory, 'repo'), { algorithm: 'sha256', insecure: true });
  const mountPoint = join(directory, 'mount');
  mkdirSync(mountPoint);
  try {
    await action(repo, mountPoint);
  } finally {
    clearMounts(mountPoint);
    repo.close();
  }
}

export async function commit(repo: Repository, root: Directory): Promise<string> {
  return await repo.commitImage(root);
}

/** Unmounts whatever a failed test has left. */
export function clearMounts(mountPoint: string): void {
  for (let attempt = 0; attempt < 8 && isMounted(mountPoint); attempt++) unmountImage(mountPoint, { lazy: true });
}

export function isMounted(mountPoint: string): boolean {
  return readMountInfo().some((mount) => mount.mountPoint === byteStringFromText(mountPoint));
}

/** Waits until a process is gone; false after ten seconds. */
export async function hasEnded(pid: number): Promise<boolean> {
  return await until(() => !isRunning(pid));
}

/** A process that has ended but is nobody's to wait for does not run; its first thread may end before the others. */
function isRunning(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-L', '-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout.split('\n').some((state) => /^[^Z]/.test(state));
}

/** Bytes of memory that a process has in RAM. */
export function residentSize(pid: number): number {
  const { stdout } = spawnSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' });
  return 1024 * Number(stdout.trim());
}

export interface SnapshotOptions {
  /** Also what differs between file systems: the sizes of directories and their link counts. */
  readonly directorySizes: boolean;
}

/**
 * Everything that can be seen of a tree, a line for each path: type and mode, owners, size, times, device, link count
 * and which paths are the same file, xattrs, and the hash of the content, or the error that reading it gives.
 */
export function snapshot(root: string, options: SnapshotOptions = { directorySizes: true }): Map<string, string> {
  const lines = new Map<string, string>();
  const firstNames = new Map<bigint, string>();
  const pending: Buffer[] = [Buffer.from('.')];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const full = Buffer.concat([Buffer.from(`${root}/`), path]);
    const stat = lstatSync(full, { bigint: true });
    const key = path.toString('latin1');
    const parts = [
      `mode ${stat.mode.toString(8)} owner ${stat.uid}:${stat.gid} mtime ${stat.mtimeNs} rdev ${stat.rdev}`,
    ];
    if (!stat.isDirectory() || options.directorySizes) parts.push(`size ${stat.size} links ${stat.nlink}`);
    if (!stat.isDirectory() && stat.nlink > 1n) {
      // Numbers differ, but not which names share one: equal trees are visited in the same order.
      const first = firstNames.get(stat.ino) ?? key;
      firstNames.set(stat.ino, first);
      parts.push(`same as ${first}`);
    }
    if (stat.isDirectory()) {
      try {
        const names = readdirSync(full, { encoding: 'buffer' }).sort(Buffer.compare);
        pending.push(...names.map((name) => Buffer.concat([path, Buffer.from('/'), name])));
      } catch (error) {
        parts.push(errorCode(error));
      }
    }
    if (stat.isSymbolicLink()) parts.push(`target ${readlinkSync(full, 'buffer').toString('hex')}`);
    if (stat.isFile()) parts.push(`content ${contentOf(full)}`);
    parts.push(xattrsOf(full));
    lines.set(key, parts.join(', '));
  }
  return new Map([...lines].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function xattrsOf(path: Buffer): string {
  return [...readXattrs(path)]
    .map(([name, value]) => `${name}=${Buffer.from(value, 'latin1').toString('hex')}`)
    .sort()
    .join(' ');
}

function contentOf(path: Buffer): string {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const hash = createHash('sha256');
      const buffer = Buffer.alloc(1 << 18);
      for (let size = readSync(fd, buffer); size > 0; size = readSync(fd, buffer))
        hash.update(buffer.subarray(0, size));
      return hash.digest('hex');
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return errorCode(error);
  }
}

/** How to run programs as `nobody`, who can use FUSE but cannot read everything. */
export interface Nobody {
  /** Before a program and its arguments. */
  readonly command: readonly string[];
  /** Where nobody finds this package. */
  readonly packageRoot: string;
}

/**
 * Runs what follows in a mount namespace of its own, where `/dev/fuse` is for everybody, as udev makes it, and where
 * this package can be read. Undefined where that cannot be done.
 */
export function nobodyIn(directory: string): Nobody | undefined {
  if (cannotMount !== false) return undefined;
  const device = join(directory, 'fuse-device');
  const visiblePackage = join(directory, 'package');
  mkdirSync(visiblePackage);
  try {
    makeNode(device, constants.S_IFCHR | 0o666, (10 << 8) | 229);
  } catch {
    return undefined;
  }
  const bind = (from: string, to: string): string => `mount --bind '${from}' '${to}' && `;
  const script = `chmod 666 '${device}' && ${bind(device, '/dev/fuse')}${bind(packageRoot, visiblePackage)}exec "$@"`;
  const drop = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];
  const command = ['unshare', '-m', 'sh', '-c', script, 'sh', ...drop];
  const [program = '', ...args] = [...command, process.execPath, '-e', "fs.openSync('/dev/fuse', 'r+')"];
  const works = spawnSync(program, args).status === 0 && findInPath('fusermount3') !== undefined;
  return works ? { command, packageRoot: visiblePackage } : undefined;
}
