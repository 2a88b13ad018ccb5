import { ComposefsError } from '../../errors.js';

/** A file that is not a well-formed splitstream (code `INVALID_SPLITSTREAM`). */
export class SplitStreamError extends ComposefsError {
  constructor(message: string) {
    super('INVALID_SPLITSTREAM', message);
  }
}
