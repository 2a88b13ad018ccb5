import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { CFSCTL } from '../support/cfsctl.js';
import { outputOf } from '../support/child-output.js';

/** A command line of `cfsctl` after `--repo PATH`. */
export interface Command {
  readonly args: readonly string[];
  /** The file that it reads as standard input. */
  readonly input?: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Kill it with SIGKILL after so many milliseconds. */
  readonly killAfter?: number;
  /** Instead of ours: the command line of another implementation. */
  readonly program?: readonly string[];
}

export interface Ended {
  /** Null if a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Longer than {@link PATIENCE}: it was killed. */
  readonly isHung: boolean;
  readonly stdout: string;
  readonly stderr: string;
  readonly milliseconds: number;
}

/** Milliseconds that no command here needs, however slow the machine. */
const PATIENCE = 120_000;

/** Starts a command on a repository, in a process group of its own. */
export function startCommand(repository: string, command: Command, options: RunOptions = {}): ChildProcess {
  const [program = '', ...before] = options.program ?? [process.execPath, CFSCTL];
  const input = command.input === undefined ? 'ignore' : openSync(command.input, 'r');
  try {
    return spawn(program, [...before, '--repo', repository, ...command.args], {
      stdio: [input, 'pipe', 'pipe'],
      env: { ...process.env, RUST_BACKTRACE: '0', ...options.env },
      detached: true,
    });
  } finally {
    if (typeof input === 'number') closeSync(input);
  }
}

/** Runs a command to its end, or until it is killed. */
export async function runCommand(repository: string, command: Command, options: RunOptions = {}): Promise<Ended> {
  const start = performance.now();
  const child = startCommand(repository, command, options);
  let isHung = false;
  const patience = setTimeout(() => {
    isHung = true;
    killGroup(child);
  }, PATIENCE);
  const { killAfter } = options;
  const killer = killAfter === undefined ? undefined : setTimeout(() => killGroup(child), killAfter);
  const output = await outputOf(child);
  clearTimeout(patience);
  clearTimeout(killer);
  return { ...output, isHung, milliseconds: performance.now() - start };
}

export function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

/** Runs a command that must succeed. */
export async function mustRun(repository: string, command: Command, options: RunOptions = {}): Promise<Ended> {
  const ended = await runCommand(repository, command, options);
  if (ended.status !== 0) throw new Error(`${command.args.join(' ')}: ${howItEnded(ended)}`);
  return ended;
}

/** Exit status or signal, and the last lines of what it said: a check tells on standard output what it has found. */
export function howItEnded({ status, signal, isHung, stdout, stderr }: Ended): string {
  const how = isHung ? 'hung' : signal === null ? `exit status ${status}` : signal;
  const found = stdout.split('\n').filter((line) => line.includes('fsck:'));
  const lines = [...found.slice(0, 3), ...stderr.trim().split('\n').slice(-3)];
  return `${how}: ${lines.join(' / ').slice(0, 600)}`;
}
