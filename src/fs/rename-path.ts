import { causes, errorCode } from '../errors.js';

/**
 * Lets an error and its causes name a file as the user knows it, and not by the descriptor through which it was reached.
 *
 * @param from the path that they have now, of a descriptor in `/proc`.
 * @returns the same error.
 */
export function renamePath(error: unknown, from: string, to: string): unknown {
  if (!(error instanceof Error) || errorCode(error) === 'INTERNAL') return error;
  const path = new RegExp(`${from}(?![0-9])`, 'g');
  for (const current of causes(error)) {
    if (!(current instanceof Error)) continue;
    current.message = current.message.replace(path, () => to);
    if (current.stack !== undefined) current.stack = current.stack.replace(path, () => to);
    if ('path' in current && typeof current.path === 'string') current.path = current.path.replace(path, () => to);
  }
  return error;
}
