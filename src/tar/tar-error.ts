import { ComposefsError } from '../errors.js';

/** A tar that is malformed, cut short, or uses a feature that is not supported. */
export class TarError extends ComposefsError {
  /** Where in the tar the header, or the missing data, begins; in bytes. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super('INVALID_TAR', `${message} (at tar offset ${offset})`);
    this.offset = offset;
  }
}
