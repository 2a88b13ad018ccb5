import { findCause } from '../../errors.js';
import { OutputClosedError } from '../terminal/output.js';
import { renderError } from '../terminal/render-error.js';
import { printToStderr } from '../terminal/warning.js';
import type { Context } from './context.js';
import { ExitStatus } from './exit-status.js';
import { InterruptedError } from './interrupt.js';
import { UsageError } from './usage-error.js';

/** The exit status of diff(1) and grep(1) when they could not do what they should: 1 is an answer there. */
const TROUBLE = 2;

/** Runs a command whose exit status 1 is an answer: where it fails, the status is {@link TROUBLE}. */
export async function withTroubleStatus(context: Context, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    const hasItsStatus = [ExitStatus, InterruptedError, UsageError].some((type) => error instanceof type);
    if (hasItsStatus || findCause(error, OutputClosedError) !== undefined) throw error;
    printToStderr(...renderError(error, { debug: context.globals.debug === true }));
    throw new ExitStatus(TROUBLE);
  }
}
