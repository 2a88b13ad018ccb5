import { addAbortSignal } from 'node:stream';
import type { ProgressReporter } from '../../progress.js';
import { printToStderr } from '../terminal/warning.js';

/**
 * What a verb reads from standard input. A person at a terminal, who would see nothing happen, is told what it waits for.
 *
 * @param signal ends the wait, for what does not look at it itself.
 */
export function standardInput(what: string, signal?: AbortSignal): AsyncIterable<Buffer> {
  if (signal !== undefined) addAbortSignal(signal, process.stdin);
  if (process.stdin.isTTY) printToStderr(`Reading ${what} from the terminal; Ctrl-D ends it`);
  return process.stdin;
}

/** Reports how much of it has been read. */
export async function* counted(
  chunks: AsyncIterable<Buffer>,
  id: string,
  progress: ProgressReporter,
): AsyncGenerator<Buffer> {
  let fetched = 0;
  progress.report({ type: 'started', id, unit: 'bytes' });
  for await (const chunk of chunks) {
    fetched += chunk.length;
    progress.report({ type: 'progress', id, fetched });
    yield chunk;
  }
  progress.report({ type: 'done', id, transferred: fetched });
}
