import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, readFileSync } from 'node:fs';

/** A file system that can be made in a file and mounted. */
export interface FileSystem {
  readonly name: string;
  /** MiB; as small as it can be. */
  readonly size: number;
  readonly make: readonly string[];
  /** A program that finds out, without changing anything, whether the file system is damaged. */
  readonly check: readonly string[];
}

const ALL: readonly FileSystem[] = [
  {
    name: 'ext4',
    size: 96,
    make: ['mkfs.ext4', '-q', '-E', 'lazy_itable_init=0,lazy_journal_init=0'],
    check: ['e2fsck', '-fn'],
  },
  { name: 'xfs', size: 320, make: ['mkfs.xfs', '-q', '-f'], check: ['xfs_repair', '-n'] },
  { name: 'btrfs', size: 160, make: ['mkfs.btrfs', '-q', '-f'], check: ['btrfs', 'check', '--readonly'] },
];

/** Those of which kernel and tools are here. */
export function availableFileSystems(): FileSystem[] {
  const known = readFileSync('/proc/filesystems', 'utf8').split(/\s+/);
  return ALL.filter(({ name, make: [mkfs = ''] }) => known.includes(name) && hasProgram(mkfs));
}

/** Why file systems cannot be mounted here; undefined if they can. */
export function cannotMount(): string | undefined {
  if (process.getuid?.() !== 0) return 'mounting needs root';
  const missing = ['mount', 'umount', 'unshare', 'losetup'].find((program) => !hasProgram(program));
  if (missing !== undefined) return `${missing} is not installed`;
  const { status } = spawnSync('unshare', ['--mount', 'true']);
  return status === 0 ? undefined : 'mount namespaces are not allowed';
}

/** Tools of file systems are where ordinary users need not look. */
function hasProgram(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`], { env: toolEnvironment() }).status === 0;
}

/** Makes a file with an empty file system in it. */
export function makeDisk(path: string, { size, make: [program = '', ...args] }: FileSystem): void {
  const fd = openSync(path, 'w');
  ftruncateSync(fd, size * 2 ** 20);
  closeSync(fd);
  runTool(program, [...args, path]);
}

export function mountDisk(path: string, directory: string): void {
  runTool('mount', ['-o', 'loop,noatime', path, directory]);
}

export function unmount(directory: string): void {
  runTool('umount', [directory]);
}

/** What the tool for it finds wrong with a file system that is not mounted; undefined if nothing. */
export function damage(path: string, { check: [program = '', ...args] }: FileSystem): string | undefined {
  const { status, stdout, error } = spawnSync(program, [...args, path], { encoding: 'utf8', env: toolEnvironment() });
  if (error !== undefined || status === 0) return undefined;
  return stdout.trim().split('\n').slice(-2).join('; ');
}

export function runTool(program: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8', env: toolEnvironment() });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr.trim()}`);
}

function toolEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
}
