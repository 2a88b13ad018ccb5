import { constants } from 'node:os';
import { causes, errorCode, fullMessage } from '../errors.js';
import { libcFunction } from './ffi.js';

/** `strerror(3)` */
export const strerror: (errno: number) => string = libcFunction<[errno: number], string>('strerror', 'const char *', [
  'int',
]);

/**
 * The C library's text for the system error that is the root of `error`, Node's or our own: `No such file or
 * directory`. For an error that is not one of the system, or without access to the C library, the error's own messages.
 */
export function errnoMessage(error: unknown): string {
  const errno = errnoOf(error);
  if (errno === undefined) return fullMessage(error);
  try {
    return strerror(errno);
  } catch {
    return fullMessage(error);
  }
}

/** The number of the innermost system error of the chain. */
function errnoOf(error: unknown): number | undefined {
  let found: number | undefined;
  for (const cause of causes(error)) found = numberOf(errorCode(cause)) ?? found;
  return found;
}

function numberOf(code: string): number | undefined {
  return new Map(Object.entries(constants.errno)).get(code);
}
