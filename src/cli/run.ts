import { CommanderError } from 'commander';
import { findCause } from '../errors.js';
import { ExitStatus } from './context/exit-status.js';
import { InterruptedError } from './context/interrupt.js';
import { renderUsageError, UsageError } from './context/usage-error.js';
import { createProgram, VersionRequest } from './program.js';
import { Output, OutputClosedError } from './terminal/output.js';
import { renderError } from './terminal/render-error.js';
import { printToStderr } from './terminal/warning.js';
import { runTool } from './tools/run-tool.js';
import { toolAfterGlobals } from './tools/tool-after-globals.js';
import { hoistGlobals } from './verbs/hoist-globals.js';

/**
 * Runs one command line (without the program's name) and resolves to the exit status of spec 70 A2: 0 success,
 * 1 run-time error, 2 usage error. Results go to standard output, everything else to standard error.
 */
export async function runCfsctl(args: readonly string[]): Promise<number> {
  const tool = toolAfterGlobals(args);
  if (tool !== undefined) return runTool(tool.name, tool.args);
  const output = new Output(process.stdout);
  const program = createProgram(output);
  try {
    await program.parseAsync(hoistGlobals(program, args), { from: 'user' });
    return 0;
  } catch (error) {
    if (findCause(error, OutputClosedError) !== undefined) return 0;
    if (error instanceof ExitStatus) return error.status;
    if (error instanceof VersionRequest) return printVersion(output, error.message);
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof InterruptedError) {
      printToStderr(error.message);
      return error.status;
    }
    if (error instanceof UsageError) {
      printToStderr(...renderUsageError(error));
      return 2;
    }
    printToStderr(...renderError(error, { debug: program.getOptionValue('debug') === true }));
    return 1;
  }
}

async function printVersion(output: Output, text: string): Promise<number> {
  await output.line(text);
  return 0;
}
