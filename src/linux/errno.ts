import { knownCode } from '../error-codes.js';
import { ComposefsError } from '../errors.js';
import { errnoNumbers, lastErrno } from './ffi.js';
import { strerror } from './strerror.js';

/** What a call was about: a path, a key, or the number of a file descriptor. */
export type Subject = string | Uint8Array | number;

/** A system call that failed. `code` is the name of the errno: `EOPNOTSUPP`. */
export class SystemError extends ComposefsError {
  /** Positive, as in `errno.h`. */
  readonly errno: number;
  /** The call or ioctl, by the name of its manual page. */
  readonly syscall: string;

  /** @internal @param detail more that the kernel said. */
  constructor(errno: number, syscall: string, subject: Subject, detail = '') {
    super(
      knownCode(errnoName(errno)),
      `${syscall} ${describe(subject)}: ${strerror(errno)} (os error ${errno})${detail}`,
    );
    this.errno = errno;
    this.syscall = syscall;
  }
}

/**
 * The result of a C library call that reports failure as −1.
 *
 * Must come right after the call: `errno` is that of the thread's last one.
 *
 * @throws SystemError
 */
export function checkCall(result: number, syscall: string, subject: Subject): number {
  if (result < 0) throw new SystemError(lastErrno(), syscall, subject);
  return result;
}

/** True for a {@link SystemError} with one of these names. */
export function isSystemError(error: unknown, ...names: readonly string[]): error is SystemError {
  return error instanceof SystemError && names.includes(error.code);
}

/** Second names of the same number on all Linux architectures. */
const ALIASES: ReadonlySet<string> = new Set(['EWOULDBLOCK', 'ENOTSUP', 'EDEADLOCK']);

let names: ReadonlyMap<number, string> | undefined;

/** `EKEYREJECTED` for 129; `ERRNO_1000` for what has no name. */
export function errnoName(errno: number): string {
  names ??= new Map(
    Object.entries(errnoNumbers())
      .filter(([name]) => !ALIASES.has(name))
      .map(([name, number]) => [number, name]),
  );
  return names.get(errno) ?? `ERRNO_${errno}`;
}

function describe(subject: Subject): string {
  if (typeof subject === 'number') return `fd ${subject}`;
  return typeof subject === 'string' ? subject : Buffer.from(subject).toString('utf8');
}
