import { withoutTerminationAsync } from '../threads/thread-side.js';
import { closeForeign } from './close.js';
import { SystemError } from './errno.js';
import { lastErrno, libcFunctionInBackground } from './ffi.js';
import { descriptorLimit } from './process.js';

/** fcntl.h, the same on all architectures. */
const F_DUPFD_CLOEXEC = 1030;

const fcntl = libcFunctionInBackground<[fd: number, command: number, argument: number]>(
  'fcntl',
  ['int', 'int', 'int'],
  (fd) => new SystemError(lastErrno(), 'fcntl F_DUPFD_CLOEXEC', fd),
);

let isReserved = false;

/**
 * Has the kernel make its table of this process's open files large enough for so many, if that was not done yet. It
 * doubles the table whenever that is full, and in a process of several threads who opens a file then waits 5 to 15 ms,
 * until no processor looks at the old one: five times in a pull of 6,000 objects. Here a thread of Node's pool waits, once.
 *
 * @param fd any that stays open. @param count as many as there may be, if there may not be so many.
 */
export async function reserveDescriptors(fd: number, count: number): Promise<void> {
  if (isReserved) return;
  isReserved = true;
  try {
    // A thread that is ended meanwhile would leave it open.
    await withoutTerminationAsync(async () => {
      // The lowest free number that is not below.
      closeForeign(await fcntl(fd, F_DUPFD_CLOEXEC, Math.min(count, descriptorLimit()) - 1));
    });
  } catch {
    // It only takes longer without.
  }
}
