import type { ProgressEvent, ProgressReporter } from '../progress.js';
import { packError, type TransferredError } from './error-transfer.js';
import { onMessage, postToStarter } from './thread-side.js';

/** The other side of a pool: what its threads do. */

/** The messages from a pool to its threads. */
export type TaskRequest =
  | { readonly type: 'run'; readonly id: number; readonly task: string; readonly input: unknown }
  | { readonly type: 'abort'; readonly id: number };

export type TaskReply =
  | { readonly type: 'progress'; readonly id: number; readonly event: ProgressEvent }
  | { readonly type: 'done'; readonly id: number; readonly output: unknown }
  | { readonly type: 'failed'; readonly id: number; readonly error: TransferredError };

/** What a task can use besides its input. */
export interface TaskContext extends ProgressReporter {
  readonly signal: AbortSignal;
}

export type TaskHandlers<Tasks extends { readonly [Name in keyof Tasks]: { input: unknown; output: unknown } }> = {
  readonly [Name in keyof Tasks]: (
    input: Tasks[Name]['input'],
    context: TaskContext,
  ) => Promise<Tasks[Name]['output']> | Tasks[Name]['output'];
};

/**
 * Makes this thread one of a pool: it runs each task when it is asked to, also while others that share it wait. To be
 * called once, by the module of the thread.
 */
export function serveTasks<Tasks extends { readonly [Name in keyof Tasks]: { input: unknown; output: unknown } }>(
  handlers: TaskHandlers<Tasks>,
): void {
  const byName = new Map<string, (input: never, context: TaskContext) => unknown>(Object.entries(handlers));
  const running = new Map<number, AbortController>();
  const reply = (message: TaskReply): void => postToStarter(message);

  const run = async (id: number, task: string, input: unknown): Promise<void> => {
    const controller = new AbortController();
    running.set(id, controller);
    const context = {
      report: (event: ProgressEvent) => reply({ type: 'progress', id, event }),
      signal: controller.signal,
    };
    try {
      const handler = byName.get(task);
      if (handler === undefined) throw new Error(`a pool has asked for ${task}, which its threads do not know`);
      // The pool's table of tasks is this thread's.
      reply({ type: 'done', id, output: await handler(input as never, context) });
    } catch (error) {
      reply({ type: 'failed', id, error: packError(error) });
    } finally {
      running.delete(id);
    }
  };

  onMessage((request: TaskRequest) => {
    if (request.type === 'abort') running.get(request.id)?.abort();
    else void run(request.id, request.task, request.input);
  });
}
