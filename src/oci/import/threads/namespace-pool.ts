import { type ChildProcess, spawn } from 'node:child_process';
import { fstatSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ComposefsError } from '../../../errors.js';
import { absolutePath } from '../../../linux/find-program.js';
import type { ProgressEvent } from '../../../progress.js';
import { userNamespaceLauncher } from '../../../system/user-namespace.js';
import { unpackError } from '../../../threads/error-transfer.js';
import type { RunOptions } from '../../../threads/pool.js';
import type { StoreFilesInput } from '../layer/store-files.js';
import type { NewLayer } from '../layer/store-layer.js';
import type { ForeignStoreFilesInput, FromNamespace, ToNamespace } from './namespace-protocol.js';

interface Job {
  readonly onProgress: ((event: ProgressEvent) => void) | undefined;
  readonly resolve: (layer: NewLayer) => void;
  readonly reject: (error: unknown) => void;
}

const PROCESS = fileURLToPath(new URL('./namespace-process.js', import.meta.url));

/** How much of what the process prints goes into a message, from its end, in UTF-16 units. */
const MAX_OUTPUT = 4096;

/** How long the process may take to go when it is asked to. */
const END_PATIENCE_MS = 2000;

/**
 * Runs `store-files` in a user namespace in which files of the user's subordinate ids can be read. The process is started
 * with the first task, and serves all.
 */
export class NamespacePool {
  #child: ChildProcess | undefined;
  readonly #jobs = new Map<number, Job>();
  #nextId = 1;
  /** What the process printed, which it does only where it fails. */
  #output = '';

  /**
   * The task of that name.
   *
   * @throws ComposefsError `USERNS_UNAVAILABLE`, `NAMESPACE_PROCESS`; what the task throws.
   */
  async storeFiles(input: StoreFilesInput, { signal, onProgress }: RunOptions): Promise<NewLayer> {
    signal?.throwIfAborted();
    const child = this.#child ?? this.#start();
    const id = this.#nextId++;
    const onAbort = (): void => this.#send(child, { type: 'abort', id });
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await new Promise<NewLayer>((resolve, reject) => {
        this.#jobs.set(id, { onProgress, resolve, reject });
        this.#send(child, { type: 'run', id, input: foreignInput(input) });
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#jobs.delete(id);
    }
  }

  /** Resolves when the process is gone. */
  async close(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => child.kill('SIGKILL'), END_PATIENCE_MS);
      child.once('exit', () => {
        clearTimeout(timer);
        resolve();
      });
      // It ends with the connection; whatever runs around it, such as podman, ends with it.
      if (child.connected) child.disconnect();
    });
  }

  #start(): ChildProcess {
    const { command } = userNamespaceLauncher(['subordinate', 'podman', 'own']);
    const [program = '', ...args] = command;
    const child = spawn(program, [...args, process.execPath, PROCESS], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Structured clones: results hold bigints.
      serialization: 'advanced',
      env: { ...process.env, PATH: absolutePath() },
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-MAX_OUTPUT);
      });
    }
    child.on('message', (message: FromNamespace) => this.#receive(message));
    child.once('error', (error) => this.#fail(child, error.message));
    child.once('exit', (status, signal) => this.#fail(child, `it ended with ${signal ?? `status ${status}`}`));
    this.#child = child;
    return child;
  }

  #send(child: ChildProcess, message: ToNamespace): void {
    // That the process is gone is told by its end.
    if (child.connected) child.send(message, () => undefined);
  }

  #receive(message: FromNamespace): void {
    if (message.type === 'ready') return;
    const job = this.#jobs.get(message.id);
    if (message.type === 'progress') job?.onProgress?.(message.event);
    else if (message.type === 'failed') job?.reject(unpackError(message.error));
    else job?.resolve(message.output as NewLayer);
  }

  /** What it was doing has failed. The next task has a process of its own. */
  #fail(child: ChildProcess, reason: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    const said = this.#output.trim();
    const message = `the process in the user namespace has failed: ${reason}${said === '' ? '' : `: ${said}`}`;
    const error = new ComposefsError('NAMESPACE_PROCESS', message, { hint: 'pull the image with --via skopeo' });
    for (const job of this.#jobs.values()) job.reject(error);
    this.#jobs.clear();
    this.#output = '';
  }
}

function foreignInput({ store, ...input }: StoreFilesInput): ForeignStoreFilesInput {
  const { root, ...options } = store;
  const { dev: device, ino: inode } = fstatSync(root.fd, { bigint: true });
  const repository = { path: root.path, device, inode, allowForeignOwner: root.allowForeignOwner };
  return { ...input, store: options, repository };
}
