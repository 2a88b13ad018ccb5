import { basename } from 'node:path';
import { errorCode } from '../../errors.js';
import { errnoMessage } from '../../linux/strerror.js';
import { STDERR, writeAll } from './stdio.js';
import { ToolFailure } from './tool-failure.js';

/**
 * A tool: what follows its name on the command line goes in, the exit status comes out.
 *
 * @param stdout descriptor for results; default: standard output.
 */
export type Tool = (args: readonly string[], stdout?: number) => number | Promise<number>;

export type ToolName = 'mkcomposefs' | 'composefs-info' | 'composefs-dump' | 'mount.composefs';

/** What a shell reports of a program that wrote to a closed pipe: 128 + SIGPIPE. Node has no such end. */
const CLOSED_PIPE_STATUS = 141;

const LOADERS: Readonly<Record<ToolName, () => Promise<Tool>>> = {
  mkcomposefs: async () => (await import('./mkcomposefs.js')).mkcomposefs,
  'composefs-info': async () => (await import('./composefs-info.js')).composefsInfo,
  'composefs-dump': async () => (await import('./composefs-dump.js')).composefsDump,
  'mount.composefs': async () => (await import('./mount-composefs.js')).mountComposefs,
};

export function isToolName(name: string): name is ToolName {
  return Object.hasOwn(LOADERS, name);
}

/**
 * Which tool `cfsctl` is to be, and its arguments (spec 70 A1): by the name it was started under, else by its first
 * argument.
 *
 * @param argv as `process.argv`: the interpreter, the path of the program, the arguments.
 */
export function requestedTool(argv: readonly string[]): { name: ToolName; args: readonly string[] } | undefined {
  const program = basename(argv[1] ?? '');
  if (isToolName(program)) return { name: program, args: argv.slice(2) };
  const first = argv[2] ?? '';
  return isToolName(first) ? { name: first, args: argv.slice(3) } : undefined;
}

/** Runs a tool to its end and resolves to its exit status. */
export async function runTool(name: ToolName, args: readonly string[]): Promise<number> {
  return callTool(name, await LOADERS[name](), args);
}

/** {@link runTool} for a tool that is loaded. */
export async function callTool(
  name: ToolName | 'composefs-erofs-debug',
  tool: Tool,
  args: readonly string[],
): Promise<number> {
  try {
    return await tool(args);
  } catch (error) {
    if (errorCode(error) === 'EPIPE') return CLOSED_PIPE_STATUS;
    writeAll(STDERR, Buffer.from(error instanceof ToolFailure ? error.text : `${name}: ${errnoMessage(error)}\n`));
    return 1;
  }
}
