import { lstatSync, mkdirSync } from 'node:fs';
import { byteStringToText } from '../../bytes/byte-string.js';
import type { ObjectId } from '../../composefs/fsverity/object-id.js';
import { FlatDigestStore } from '../../composefs/repository/flat-digest-store.js';
import type { Directory } from '../../composefs/tree/directory.js';
import { type FileStore, readFilesystem } from '../../composefs/tree/scan.js';
import { FileContentError, ScanError } from '../../composefs/tree/scan-error.js';
import { NO_XATTRS, type Xattrs } from '../../composefs/tree/stat.js';
import { removeDevices, resetMtimes } from '../../composefs/tree/transform.js';
import { fitCXattrs } from '../../composefs/tree/xattr-limits.js';
import { ComposefsError, ContextError, errorCode, findCause } from '../../errors.js';
import { readXattrs } from '../../linux/xattr.js';
import type { MkcomposefsOptions } from './mkcomposefs-options.js';
import { failuresOf, type ToolFailure } from './tool-failure.js';

const { err, errx } = failuresOf('mkcomposefs');

/**
 * The tree of a directory as mkcomposefs sees it: hard links are inodes of their own.
 *
 * @throws ToolFailure
 */
export function readSourceDirectory(options: MkcomposefsOptions): Directory {
  const { source, digestStore, skipXattrs, userXattrs } = options;
  if (skipXattrs && userXattrs) throw errx(`error accessing ${source}: Invalid argument`);
  const store = digestStore === undefined ? undefined : new LazyStore(digestStore);
  try {
    const root = readFilesystem(source, {
      algorithm: 'sha256',
      hardlinks: 'break',
      readXattrs: skipXattrs ? () => NO_XATTRS : (path) => readCXattrs(path, userXattrs),
      ...(store !== undefined && { store }),
    });
    store?.sync();
    if (options.skipDevices) removeDevices(root);
    if (options.useEpoch) resetMtimes(root);
    return root;
  } catch (error) {
    throw failureOf(error, source);
  }
}

class StoreError extends ContextError {}

/** The store, made with all its parents when there is something to put into it. */
class LazyStore implements FileStore {
  readonly #path: string;
  #store: FlatDigestStore | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  ensureObjectFromFd(fd: number, size: number): ObjectId {
    return this.#storing(() => {
      this.#store ??= this.#open();
      return this.#store.ensureObjectFromFd(fd, size);
    });
  }

  sync(): void {
    this.#storing(() => this.#store?.sync());
  }

  #open(): FlatDigestStore {
    mkdirSync(this.#path, { recursive: true, mode: 0o755 });
    return FlatDigestStore.open(this.#path, 'sha256', true);
  }

  #storing<T>(action: () => T): T {
    try {
      return action();
    } catch (cause) {
      throw new StoreError(`Storing in ${this.#path}`, cause);
    }
  }
}

function readCXattrs(path: Buffer, onlyUser: boolean): Xattrs {
  let xattrs: Xattrs = readXattrs(path);
  if (onlyUser) xattrs = new Map([...xattrs].filter(([name]) => name.startsWith('user.')));
  if (!fitCXattrs(xattrs)) throw new ComposefsError('ERANGE', 'the xattrs of a file are too large for an image');
  return xattrs;
}

function failureOf(error: unknown, source: string): unknown {
  if (findCause(error, StoreError) !== undefined) return err('cannot fill store', error);
  if (findCause(error, FileContentError) !== undefined) return err('error computing digest', error);
  if (!(error instanceof ScanError)) return error;
  return errorCode(error) === 'ENOTDIR' && exists(source) ? notADirectory() : accessFailure(error);
}

/** C finds out only when it writes the tree. */
function notADirectory(): ToolFailure {
  return errx('cannot write file: Not a directory');
}

function accessFailure(error: ScanError): ToolFailure {
  return err(`error accessing ${byteStringToText(error.path)}`, error);
}

function exists(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
