import { ComposefsError } from '../../errors.js';

/** The exit status of a shell for a process ended by SIGINT or SIGTERM is 128 and the signal's number. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/** Stopped by the user: a status of its own, and hardly anything to explain. */
export class InterruptedError extends ComposefsError {
  readonly status: number;

  constructor(status: number, consequence?: string) {
    super('INTERRUPTED', consequence === undefined ? 'interrupted' : `interrupted: ${consequence}`);
    this.status = status;
  }
}

/**
 * Runs `action` with a signal that the first Ctrl-C triggers; the second one ends the process at once.
 *
 * @param consequence What that means for the work, for the message.
 */
export async function withInterrupt<T>(action: (signal: AbortSignal) => Promise<T>, consequence?: string): Promise<T> {
  const controller = new AbortController();
  const onSignal = (name: keyof typeof SIGNALS): void => {
    stopListening();
    controller.abort(new InterruptedError(SIGNALS[name], consequence));
  };
  const stopListening = (): void => {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    return await action(controller.signal);
  } catch (error) {
    // Whatever failed because of the signal, the reason is the user.
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    stopListening();
  }
}
