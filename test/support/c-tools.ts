import { spawnSync } from 'node:child_process';
import { commandPath } from './paths.js';

export type CToolName = 'mkcomposefs' | 'composefs-info' | 'composefs-dump' | 'mount.composefs';

export interface ToolResult {
  readonly status: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface ToolOptions {
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Runs a tool of composefs in C. `COMPOSEFS_C_MKCOMPOSEFS` is the command line of its mkcomposefs, split at spaces, if
 * that is not simply `mkcomposefs`; the other tools are called alike, or as `COMPOSEFS_C_INFO`, `COMPOSEFS_C_DUMP` and
 * `COMPOSEFS_C_MOUNT` say.
 */
export function runCTool(name: CToolName, args: readonly string[], options: ToolOptions = {}): ToolResult {
  return run([...cCommand(name), ...args], options);
}

/** Why there is nothing to compare with. The C tools have no `--version`: they are told from namesakes by their usage. */
export function noCTools(): string | false {
  const { stderr } = runCTool('mkcomposefs', ['--help']);
  return /--digest-store=PATH/.test(stderr) ? false : 'mkcomposefs of composefs 1.0.8 is absent';
}

/** {@link noCTools} for a tool that packages leave out: it has to be built from their source. */
export function noCDump(): string | false {
  const { stderr } = runCTool('composefs-dump', []);
  return /^usage: .*composefs-dump SRC DEST$/m.test(stderr) ? false : 'composefs-dump of composefs 1.0.8 is absent';
}

/** Runs our own tool of that name, as it is shipped. */
export function runOurTool(name: CToolName, args: readonly string[], options: ToolOptions = {}): ToolResult {
  return run([process.execPath, commandPath(name), ...args], options);
}

const VARIABLES: Readonly<Record<CToolName, string>> = {
  mkcomposefs: 'COMPOSEFS_C_MKCOMPOSEFS',
  'composefs-info': 'COMPOSEFS_C_INFO',
  'composefs-dump': 'COMPOSEFS_C_DUMP',
  'mount.composefs': 'COMPOSEFS_C_MOUNT',
};

/** The command line of a C tool. */
export function cCommand(name: CToolName): string[] {
  const own = process.env[VARIABLES[name]];
  if (own !== undefined) return own.split(' ');
  const sibling = process.env[VARIABLES.mkcomposefs] ?? 'mkcomposefs';
  return sibling.split(' ').map((word) => word.replace(/(^|\/)mkcomposefs$/, `$1${name}`));
}

function run([program = '', ...args]: readonly string[], { input = '', cwd, env }: ToolOptions): ToolResult {
  const { status, stdout, stderr } = spawnSync(program, args, {
    input,
    maxBuffer: 2 ** 30,
    env: { ...process.env, ...env },
    ...(cwd !== undefined && { cwd }),
  });
  return { status, stdout: stdout ?? Buffer.alloc(0), stderr: String(stderr ?? '') };
}
