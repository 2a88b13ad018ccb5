import { type ByteString, quoteBytes } from '../../../bytes/byte-string.js';
import { ComposefsError } from '../../../errors.js';

/** What is wrong with an image (spec 20 §9). */
export type ErofsReaderErrorKind =
  | 'invalid-image'
  | 'invalid-inode'
  | 'out-of-bounds'
  | 'directory-hardlinks'
  | 'depth-exceeded'
  | 'invalid-self-reference'
  | 'invalid-parent-reference'
  | 'duplicate-entry';

/** Code `INVALID_IMAGE`: the bytes are not an image that we can read. */
export class ErofsReaderError extends ComposefsError {
  readonly kind: ErofsReaderErrorKind;

  constructor(kind: ErofsReaderErrorKind, message: string) {
    super('INVALID_IMAGE', message);
    this.kind = kind;
  }
}

export function invalidImage(reason: string): ErofsReaderError {
  return new ErofsReaderError('invalid-image', `Invalid image: ${reason}`);
}

export function invalidInode(nid: number): ErofsReaderError {
  // Beyond 2^53 a nid is rounded; by way of bigint it is at least not shown with an exponent.
  return new ErofsReaderError('invalid-inode', `Invalid inode: ${BigInt(nid)}`);
}

export function outOfBounds(): ErofsReaderError {
  return new ErofsReaderError('out-of-bounds', 'Offset out of bounds');
}

export function directoryHardlinks(): ErofsReaderError {
  return new ErofsReaderError('directory-hardlinks', 'Hardlinked directories detected');
}

export function depthExceeded(): ErofsReaderError {
  return new ErofsReaderError('depth-exceeded', 'Maximum directory depth exceeded');
}

export function invalidSelfReference(): ErofsReaderError {
  return new ErofsReaderError('invalid-self-reference', "Invalid '.' entry in directory");
}

export function invalidParentReference(): ErofsReaderError {
  return new ErofsReaderError('invalid-parent-reference', "Invalid '..' entry in directory");
}

export function duplicateEntry(name: ByteString): ErofsReaderError {
  return new ErofsReaderError('duplicate-entry', `Duplicate directory entry ${quoteBytes(name)}`);
}
