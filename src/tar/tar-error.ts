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

/** Something in a tar is malformed; the parser makes a TarError of it, which says where. Never leaves `src/tar`. */
export class ParseFailure extends Error {}

/** A field of a header block is malformed. */
export class HeaderFailure extends ParseFailure {}
