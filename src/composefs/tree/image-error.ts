import { type ByteString, quoteBytes } from '../../bytes/byte-string.js';
import type { ErrorCode } from '../../error-codes.js';
import { ComposefsError } from '../../errors.js';

/** Spec 30 §7.3, without the kinds that only a leaf table can have. `too-many-links` is ours. */
export type ImageErrorKind =
  | 'invalid-filename'
  | 'not-found'
  | 'not-a-directory'
  | 'is-a-directory'
  | 'is-not-regular'
  | 'too-many-links';

const CODES: Readonly<Record<ImageErrorKind, ErrorCode>> = {
  'invalid-filename': 'INVALID_FILENAME',
  'not-found': 'ENTRY_NOT_FOUND',
  'not-a-directory': 'NOT_A_DIRECTORY',
  'is-a-directory': 'IS_A_DIRECTORY',
  'is-not-regular': 'NOT_A_REGULAR_FILE',
  'too-many-links': 'TOO_MANY_LINKS',
};

/** A name or path that does not lead where it should, inside a tree. */
export class ImageError extends ComposefsError {
  readonly kind: ImageErrorKind;
  /** The component, or the whole path, that the message names. */
  readonly filename: ByteString;

  constructor(kind: ImageErrorKind, filename: ByteString) {
    super(CODES[kind], describe(kind, filename));
    this.kind = kind;
    this.filename = filename;
  }
}

function describe(kind: ImageErrorKind, filename: ByteString): string {
  const name = quoteBytes(filename);
  switch (kind) {
    case 'invalid-filename':
      return `Invalid filename ${name}`;
    case 'not-found':
      return `Directory entry ${name} does not exist`;
    case 'not-a-directory':
      return `Directory entry ${name} is not a subdirectory`;
    case 'is-a-directory':
      return `Directory entry ${name} is a directory`;
    case 'is-not-regular':
      return `Directory entry ${name} is not a regular file`;
    case 'too-many-links':
      return `Too many symbolic links, or too long ones, on the way to ${name}`;
  }
}
