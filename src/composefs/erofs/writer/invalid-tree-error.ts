import { ComposefsError } from '../../../errors.js';

/** In what way a tree cannot be an image (spec 20 §2.1 and §16.16). */
export type InvalidTreeKind =
  | 'linked-whiteout'
  | 'linked-directory'
  | 'name'
  | 'symlink-target'
  | 'device-number'
  | 'file-size'
  | 'inline-size'
  | 'digest'
  | 'stat'
  | 'xattr'
  | 'image-size';

/** Code `INVALID_TREE`: the tree cannot be written as an image. */
export class InvalidTreeError extends ComposefsError {
  readonly kind: InvalidTreeKind;

  constructor(kind: InvalidTreeKind, message: string, cause?: unknown) {
    super('INVALID_TREE', `invalid composefs filesystem: ${message}`, cause === undefined ? {} : { cause });
    this.kind = kind;
  }
}
