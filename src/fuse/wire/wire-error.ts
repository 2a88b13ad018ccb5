import { ComposefsError } from '../../errors.js';

/** Code `EINVAL`: a request that is shorter than its structure, or a name without its end. No kernel sends one. */
export class WireError extends ComposefsError {
  constructor(what: string, size: number) {
    super('EINVAL', `malformed FUSE request: ${what} of ${size} bytes`);
  }
}

/** @throws WireError unless `body` holds a structure of `size` bytes. */
export function checkSize(body: Uint8Array, size: number, what: string): void {
  if (body.length < size) throw new WireError(what, body.length);
}
