import type { ProgressEvent } from '../../progress.js';
import type { TransferredError } from '../../threads/error-transfer.js';
import type { TaskName, Tasks } from './tasks.js';

/** The messages between the pool and its worker threads. */

export type RunRequest = {
  [Name in TaskName]: { type: 'run'; id: number; task: Name; input: Tasks[Name]['input'] };
}[TaskName];

export type WorkerRequest = RunRequest | { type: 'abort'; id: number };

export type WorkerReply =
  | { type: 'progress'; id: number; event: ProgressEvent }
  | { type: 'done'; id: number; output: Tasks[TaskName]['output'] }
  | { type: 'failed'; id: number; error: TransferredError };
