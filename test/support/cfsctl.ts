import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { outputOf } from './child-output.js';
import { commandPath } from './paths.js';

export const CFSCTL: string = commandPath('cfsctl');

export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly input?: Buffer | string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

/** Runs `cfsctl` and waits for it. */
export function cfsctl(args: readonly string[], options: CommandOptions = {}): CommandResult {
  const { status, stdout, stderr } = cfsctlBytes(args, options);
  return { status, stdout: stdout.toString('utf8'), stderr };
}

/** {@link cfsctl} for output that is not text. */
export function cfsctlBytes(
  args: readonly string[],
  options: CommandOptions = {},
): { status: number | null; stdout: Buffer; stderr: string } {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [CFSCTL, ...args], {
    input: options.input ?? '',
    env: { ...process.env, ...options.env },
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error !== undefined) throw error;
  return { status, stdout, stderr: stderr.toString('utf8') };
}

/** Starts `cfsctl` with pipes and does not wait. */
export function startCfsctl(args: readonly string[]): ReturnType<typeof spawn> {
  return spawn(process.execPath, [CFSCTL, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
}

/** Runs `cfsctl` while this process goes on: it may be the registry that the command talks to. */
export async function runCfsctl(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const child = spawn(process.execPath, [CFSCTL, ...args], {
    env: { ...process.env, ...options.env },
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => undefined).end(options.input ?? '');
  const { status, stdout, stderr } = await outputOf(child);
  return { status, stdout, stderr };
}

/** The commands of one repository: `cfs` of spec 70 G1, which means `cfsctl --insecure --repo R`. */
export class TestRepository {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** FX-REPO of spec 70 G2: sha512, V2, insecure. */
  static create(parent: string, ...initArgs: readonly string[]): TestRepository {
    const repository = new TestRepository(join(parent, 'repo'));
    const args = initArgs.length > 0 ? initArgs : ['--erofs-version', '2'];
    expectSuccess(cfsctl(['--repo', repository.path, 'init', '--insecure', ...args]));
    return repository;
  }

  run(...args: readonly string[]): CommandResult {
    return cfsctl(['--insecure', '--repo', this.path, ...args]);
  }

  /** Standard output without its final newline, of a command that must succeed. */
  ok(...args: readonly string[]): string {
    return expectSuccess(this.run(...args));
  }

  /** The value that a command prints as JSON. */
  json(...args: readonly string[]): unknown {
    return JSON.parse(this.ok(...args));
  }
}

/** Standard output without its final newline; throws with the error output if the command failed. */
export function expectSuccess(result: CommandResult): string {
  if (result.status !== 0) throw new Error(`exit status ${result.status}\n${result.stderr}`);
  return result.stdout.replace(/\n$/, '');
}
