import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { errorCode } from '../../errors.js';
import { socketPair } from '../../linux/fd-passing.js';
import { findProgram } from '../../linux/find-program.js';
import { SkopeoError } from './proxy-error.js';

export interface ProxyCommand {
  /** Program and arguments. */
  readonly command: readonly string[];
  /** Descriptors that it gets as 3 and up. */
  readonly fds?: readonly number[];
  readonly environment?: NodeJS.ProcessEnv | undefined;
}

/** For the message when it dies. */
const MAX_STDERR_CHARS = 16_384;
/** How long it may take to leave by itself, and then after SIGTERM. Together less than a second. */
const LEAVE_MS = 300;
const TERM_MS = 200;

/**
 * A running image proxy: one end of a socket pair is its standard input (spec 40 §5.1). It has a process group of its
 * own, so that Ctrl-C ends it when we say so. If this process is killed, the closed socket ends it.
 */
export class ProxyProcess {
  /** Our end of the socket. */
  readonly socketFd: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<string>;
  #stderr = '';
  #ending: Promise<void> | undefined;

  private constructor(socketFd: number, child: ChildProcess) {
    this.socketFd = socketFd;
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-MAX_STDERR_CHARS);
    });
    this.#exited = new Promise((resolve) => {
      const settle = (status: number | null, signal: NodeJS.Signals | null): void =>
        resolve(signal === null ? `exit status ${status}` : `killed by ${signal}`);
      // Processes that it leaves behind may keep standard error open.
      child.once('exit', (status, signal) => setTimeout(() => settle(status, signal), 100));
      child.once('close', settle);
    });
  }

  /** @throws SkopeoError `SKOPEO_NOT_FOUND`; other errors of `spawn(2)` as they are. */
  static async start({ command, fds = [], environment }: ProxyCommand): Promise<ProxyProcess> {
    const [name = 'skopeo', ...args] = command;
    const program = findProgram(name, environment);
    if (program === undefined) throw notFound(name);
    const [ours, theirs] = socketPair('seqpacket');
    try {
      const child = spawn(program, args, {
        stdio: [theirs, 'ignore', 'pipe', ...fds],
        detached: true,
        env: environment ?? process.env,
      });
      await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
      return new ProxyProcess(ours, child);
    } catch (error) {
      closeSync(ours);
      throw error;
    } finally {
      // Its end would otherwise never be seen.
      closeSync(theirs);
    }
  }

  /** Resolves when it is gone, with how it ended and what it said last. */
  async lastWords(): Promise<string> {
    const status = await this.#exited;
    return this.#stderr === '' ? status : `${status}: ${this.#stderr.trimEnd().replaceAll('\n', '; ')}`;
  }

  /**
   * Ends it and waits for that, less than a second.
   *
   * @param inHurry what it is doing is not wanted any more.
   */
  async end(inHurry: boolean): Promise<void> {
    this.#ending ??= this.#end(inHurry);
    await this.#ending;
  }

  async #end(inHurry: boolean): Promise<void> {
    closeSync(this.socketFd);
    if (inHurry) this.#signal('SIGTERM');
    if (await this.#exitsWithin(inHurry ? TERM_MS : LEAVE_MS)) return;
    if (!inHurry) {
      this.#signal('SIGTERM');
      if (await this.#exitsWithin(TERM_MS)) return;
    }
    this.#signal('SIGKILL');
    await this.#exited;
  }

  async #exitsWithin(milliseconds: number): Promise<boolean> {
    const timer = new AbortController();
    const timeout = delay(milliseconds, false, { signal: timer.signal }).catch(() => false);
    const exited = await Promise.race([this.#exited.then(() => true), timeout]);
    timer.abort();
    return exited;
  }

  /** To the whole group: it may have been started by `podman unshare`. */
  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch (error) {
      if (errorCode(error) !== 'ESRCH') throw error;
    }
  }
}

function notFound(program: string): SkopeoError {
  return new SkopeoError('SKOPEO_NOT_FOUND', `Cannot find the program ${program}`, {
    hint:
      'Images of this transport are read with skopeo: install the package skopeo. Not needed for docker://, oci:, ' +
      'oci-archive:, docker-archive: and dir:.',
  });
}
