import { ComposefsError, type ErrorDetails } from '../../errors.js';

/** Text that is not a dumpfile, or one that describes no tree. The code is `INVALID_DUMPFILE`. */
export class DumpfileError extends ComposefsError {
  constructor(message: string, details: ErrorDetails = {}) {
    super('INVALID_DUMPFILE', message, details);
  }
}
