import { type ByteString, concatBytes, quoteBytes } from '../../bytes/byte-string.js';
import { ContextError } from '../../errors.js';
import type { Directory } from '../tree/inode.js';

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

/** A directory of a scan. */
export interface ScanPlace {
  /** Of the first, the path given to the scan. */
  readonly name: ByteString;
  /** The path given to the scan, and the way from there. */
  readonly path: ByteString;
  readonly parent: ScanPlace | undefined;
  /** What becomes of it. */
  readonly directory: Directory;
}

/** What fails at an entry of a directory, in the contexts that the descent through all directories adds. */
export function scanError(place: ScanPlace, name: ByteString, cause: unknown): ScanError {
  let error = new ContextError(`Scanning inode ${quoteBytes(name)}`, cause);
  let directory = place;
  for (; directory.parent !== undefined; directory = directory.parent) {
    error = new ContextError(`Scanning directory ${quoteBytes(directory.name)}`, error);
    error = new ContextError(`Scanning inode ${quoteBytes(directory.name)}`, error);
  }
  return new ScanError(`Scanning directory ${quoteBytes(directory.name)}`, joinPath(place.path, name), error);
}

export function leafError(name: ByteString, cause: unknown): ContextError {
  return new ContextError(`Scanning leaf ${quoteBytes(name)}`, cause);
}

export function contentError(cause: unknown): FileContentError {
  return new FileContentError('Reading leaf content', cause);
}

export function joinPath(directory: ByteString, name: ByteString): ByteString {
  return concatBytes(directory, (directory.endsWith('/') ? '' : '/') as ByteString, name);
}
