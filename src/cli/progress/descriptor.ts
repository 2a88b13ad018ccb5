import { fstatSync, writeSync } from 'node:fs';
import { errorCode } from '../../errors.js';
import { UsageError } from '../usage-error.js';
import type { ProgressStream } from './display.js';

/** Milliseconds for a reader to make room; one that does not read at all must not stop the work. */
const PATIENCE = 2000;
const PAUSE = 5;

/**
 * A descriptor that this process was started with, for progress. A reader that goes away or stops reading ends the
 * writing, not the work.
 *
 * @throws UsageError if it is not open, or is nothing that can be written to.
 */
export function openDescriptor(fd: number): ProgressStream {
  let isFit: boolean;
  try {
    const stat = fstatSync(fd);
    // What Node.js itself has open besides its own pipes is of no type.
    isFit = stat.isFIFO() || stat.isSocket() || stat.isFile() || stat.isCharacterDevice();
  } catch {
    isFit = false;
  }
  if (!isFit) {
    throw new UsageError(`invalid value '${fd}' for '--progress-fd <FD>': not an open file descriptor`);
  }
  let isGone = false;
  return {
    write(text: string): void {
      if (!isGone) isGone = !writeAll(fd, Buffer.from(text));
    },
  };
}

/** @returns false if nobody takes it. */
function writeAll(fd: number, data: Buffer): boolean {
  let waited = 0;
  for (let offset = 0; offset < data.length; ) {
    try {
      offset += writeSync(fd, data, offset);
      waited = 0;
    } catch (error) {
      if (errorCode(error) !== 'EAGAIN' || waited >= PATIENCE) return false;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
      waited += PAUSE;
    }
  }
  return true;
}
