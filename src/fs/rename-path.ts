import { causes, errorCode } from '../errors.js';

/**
 * Lets an error and its causes name a file as the user knows it, and not by the descriptor through which it was reached,
 * or by the name that it has until it is complete.
 *
 * @param from the path that they have now.
 * @returns the same error.
 */
export function renamePath(error: unknown, from: string, to: string): unknown {
  if (!(error instanceof Error) || errorCode(error) === 'INTERNAL') return error;
  const path = new RegExp(`${from.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![0-9])`, 'g');
  for (const current of causes(error)) {
    // Of some the message cannot be set, such as the reason of a signal.
    if (!(current instanceof Error && current.message.includes(from))) continue;
    current.message = current.message.replace(path, () => to);
    if (current.stack !== undefined) current.stack = current.stack.replace(path, () => to);
    if ('path' in current && typeof current.path === 'string') current.path = current.path.replace(path, () => to);
  }
  return error;
}
