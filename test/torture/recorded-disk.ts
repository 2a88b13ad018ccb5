import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mountDisk, runTool, unmount } from '../support/file-systems.js';
import { BlockLog, writeMark } from './block-log.js';

/**
 * Runs something on a mounted copy of a disk that writes down what reaches it.
 *
 * @param folder for the files that this takes.
 * @param action gets a function that marks where a step begins.
 */
export async function recordWrites(
  base: string,
  folder: string,
  mountPoint: string,
  action: (mark: (step: number) => void) => Promise<void> | void,
): Promise<BlockLog> {
  const [disk, logFile, device] = [join(folder, 'disk.img'), join(folder, 'log'), join(folder, 'device')];
  for (const path of [disk, logFile]) rmSync(path, { force: true });
  mkdirSync(device, { recursive: true });
  copySparse(base, disk);
  const server = await startServer(disk, logFile, device);
  try {
    mountDisk(join(device, 'disk'), mountPoint);
    try {
      await action((step) => writeMark(logFile, step));
    } finally {
      unmount(mountPoint);
    }
  } finally {
    unmount(device);
    await once(server, 'close');
  }
  rmSync(disk);
  return new BlockLog(logFile);
}

async function startServer(disk: string, log: string, directory: string): Promise<ChildProcess> {
  const program = fileURLToPath(new URL('./block-device.js', import.meta.url));
  const args = [program, disk, log, directory, String(statSync(disk).size)];
  const server = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  await Promise.race([
    once(server.stdout, 'data'),
    once(server, 'close').then(([status]) => Promise.reject(new Error(`the block device ended: ${status}`))),
  ]);
  return server;
}

export function copySparse(from: string, to: string): void {
  runTool('cp', ['--sparse=always', '--reflink=auto', from, to]);
}
