import { ComposefsError } from '../errors.js';

/** The exit status of a shell for a process ended by SIGINT or SIGTERM is 128 and the signal's number. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/** Stopped by the user: a status of its own, and nothing to explain. */
export class InterruptedError extends ComposefsError {
  readonly status: number;

  constructor(status: number) {
    super('INTERRUPTED', 'interrupted');
    this.status = status;
  }
}

/** Runs `action` with a signal that the first Ctrl-C triggers; the second one ends the process at once. */
export async function withInterrupt<T>(action: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const onSignal = (name: keyof typeof SIGNALS): void => {
    stopListening();
    controller.abort(new InterruptedError(SIGNALS[name]));
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
