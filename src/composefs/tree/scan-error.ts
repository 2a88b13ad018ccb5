import type { ByteString } from '../../bytes/byte-string.js';
import { ContextError } from '../../errors.js';

/** A scan that failed; the code is that of the cause. */
export class ScanError extends ContextError {
  /** What could not be scanned: the path given to the scan, and the way from there. */
  readonly path: ByteString;

  constructor(message: string, path: ByteString, cause: unknown) {
    super(message, cause);
    this.path = path;
  }
}

/** The cause of a {@link ScanError}, if it was the content of a file that could not be read or stored. */
export class FileContentError extends ContextError {}
