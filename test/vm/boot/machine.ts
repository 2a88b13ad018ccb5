import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { findTool, runTool } from './programs.js';

/** A virtual machine with a serial console and virtio disks. KVM is not asked for: few test machines have it. */

export interface MachineOptions {
  readonly kernel: string;
  readonly initrd: string;
  readonly cmdline: string;
  /** `/dev/vda`, `/dev/vdb`, … */
  readonly disks: readonly string[];
  /** Gets the console's output. */
  readonly log: string;
  readonly title: string;
  /** Seconds. */
  readonly timeout?: number;
}

/** What the machine said on lines `RESULT key value`, by key; a key that comes twice has its last value. */
export type Results = ReadonlyMap<string, string>;

/** The program: `COMPOSEFS_TEST_QEMU`, or the one for this architecture in PATH. */
export function findQemu(): string | undefined {
  const architecture = process.arch === 'x64' ? 'x86_64' : process.arch === 'arm64' ? 'aarch64' : process.arch;
  return process.env['COMPOSEFS_TEST_QEMU'] ?? findTool(`qemu-system-${architecture}`);
}

/** Starts a machine and waits until it stops itself. */
export async function runMachine(qemu: string, options: MachineOptions): Promise<Results> {
  appendFileSync(options.log, `\n=== ${options.title}\n=== ${options.cmdline}\n`);
  const args = [
    '-m',
    '2048',
    '-smp',
    '2',
    '-nographic',
    '-no-reboot',
    '-nodefaults',
    '-serial',
    'stdio',
    '-monitor',
    'none',
  ];
  args.push(
    ...(process.env['COMPOSEFS_TEST_QEMU_ARGS']?.split(' ') ?? ['-accel', 'tcg,thread=multi', '-cpu', 'Nehalem']),
  );
  args.push('-kernel', options.kernel, '-initrd', options.initrd, '-append', options.cmdline);
  for (const disk of options.disks) args.push('-drive', `file=${disk},format=raw,if=virtio,cache=none`);
  const child = spawn(qemu, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), 1000 * (options.timeout ?? 600));
  const log = createWriteStream(options.log, { flags: 'a' });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      const clean = text.replaceAll('\r', '');
      output += clean;
      log.write(clean);
    });
  }
  const [status] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  log.end();
  await finished(log);
  if (status !== 0) throw new Error(`${options.title}: the machine did not stop (${status}):\n${output.slice(-3000)}`);
  const results = new Map<string, string>();
  for (const [, key = '', value = ''] of output.matchAll(/^.*RESULT ((?:before |read |unreadable )?\S+) ?(.*)$/gm))
    results.set(key, value.trim());
  return results;
}

/** Makes an ext4 file system, with fs-verity, in a file. */
export function makeDisk(path: string, size: string, content?: string): void {
  const from = content === undefined ? [] : ['-d', content];
  runTool('mke2fs', ['-q', '-t', 'ext4', '-O', 'verity', '-b', '4096', ...from, path, size]);
}

/** A file of an ext4 file system in a file, which no machine uses at the moment. */
export function readFromDisk(disk: string, path: string, to: string): void {
  const output = runTool('debugfs', ['-R', `dump ${path} ${to}`, disk]);
  if (output.includes('File not found')) throw new Error(`${path} is not on the disk`);
}

/** The names in a directory of such a file system. */
export function listOnDisk(disk: string, path: string): string[] {
  const lines = runTool('debugfs', ['-R', `ls -p ${path}`, disk]).split('\n');
  // /inode/mode/uid/gid/name/size/
  return lines.map((line) => line.split('/')[5] ?? '').filter((name) => !['', '.', '..'].includes(name));
}
