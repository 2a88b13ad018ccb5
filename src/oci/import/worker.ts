import { packError } from '../../threads/error-transfer.js';
import { onMessage, postToStarter } from '../../threads/thread-side.js';
import type { WorkerReply, WorkerRequest } from './protocol.js';
import type { TaskContext } from './task-context.js';
import { handlers, type TaskName, type Tasks } from './tasks.js';

/** The entry point of a worker thread: runs one task at a time and reports to the pool. */

const running = new Map<number, AbortController>();

function reply(message: WorkerReply): void {
  postToStarter(message);
}

async function run<Name extends TaskName>(id: number, name: Name, input: Tasks[Name]['input']): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  const context: TaskContext = {
    report: (event) => reply({ type: 'progress', id, event }),
    signal: controller.signal,
  };
  try {
    reply({ type: 'done', id, output: await handlers[name](input, context) });
  } catch (error) {
    reply({ type: 'failed', id, error: packError(error) });
  } finally {
    running.delete(id);
  }
}

onMessage((request: WorkerRequest) => {
  if (request.type === 'abort') running.get(request.id)?.abort();
  else void run(request.id, request.task, request.input);
});
