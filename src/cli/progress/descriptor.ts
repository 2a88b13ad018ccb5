import { constants, fstatSync, readdirSync, readFileSync, type Stats, writeSync } from 'node:fs';
import { whenReady } from '../../fs/files.js';
import { UsageError } from '../context/usage-error.js';
import type { ProgressStream } from './display.js';

/** Milliseconds for a reader to make room; one that does not read at all must not stop the work. */
const PATIENCE = 2000;
const O_ACCMODE = 3;

/**
 * A descriptor that this process was started with, for progress. A reader that goes away or stops reading ends the
 * writing, not the work.
 *
 * @throws UsageError if it is not open for writing, or is one of Node.js itself.
 */
export function openDescriptor(fd: number): ProgressStream {
  let isFit: boolean;
  try {
    const stat = fstatSync(fd);
    // What Node.js itself has open besides its own pipes is of no type.
    isFit = stat.isFIFO() ? !isReadHere(stat) : stat.isSocket() || stat.isFile() || stat.isCharacterDevice();
    isFit &&= accessMode(fd) !== constants.O_RDONLY;
  } catch {
    isFit = false;
  }
  if (!isFit) {
    throw new UsageError(
      `invalid value '${fd}' for '--progress-fd <FD>': not a descriptor that was opened for writing`,
    );
  }
  let isGone = false;
  return {
    write(text: string): void {
      if (!isGone) isGone = !writeAll(fd, Buffer.from(text));
    },
  };
}

/** Whether this process reads from the pipe itself: as Node.js does, who takes what comes for addresses in memory. */
function isReadHere(pipe: Stats): boolean {
  return readdirSync('/proc/self/fd').some((name) => {
    const stat = statIfOpen(Number(name));
    return stat?.ino === pipe.ino && stat.dev === pipe.dev && accessMode(Number(name)) !== constants.O_WRONLY;
  });
}

/** The descriptor of a directory is listed in it, and closed with it. */
function statIfOpen(fd: number): Stats | undefined {
  try {
    return fstatSync(fd);
  } catch {
    return undefined;
  }
}

/** `O_RDONLY`, `O_WRONLY` or `O_RDWR`, from proc_pid_fdinfo(5). */
function accessMode(fd: number): number {
  const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? '';
  return Number.parseInt(flags, 8) & O_ACCMODE;
}

/** @returns false if nobody takes it. */
function writeAll(fd: number, data: Buffer): boolean {
  try {
    for (let offset = 0; offset < data.length; ) offset += whenReady(() => writeSync(fd, data, offset), PATIENCE);
    return true;
  } catch {
    return false;
  }
}
