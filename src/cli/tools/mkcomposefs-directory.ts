import { lstatSync } from 'node:fs';
import { byteStringToText } from '../../bytes/byte-string.js';
import {
  type ContentDestination,
  type Directory,
  NO_XATTRS,
  readDirectory,
  removeDevices,
  resetMtimes,
  type Xattrs,
} from '../../composefs/index.js';
import { fitCXattrs } from '../../composefs/mkcomposefs/index.js';
import { FlatStoreError } from '../../composefs/scan/read-directory.js';
import { FileContentError } from '../../composefs/scan/scan-error.js';
import { ScanError } from '../../error-classes.js';
import { ComposefsError, errorCode, findCause } from '../../errors.js';
import { readXattrs } from '../../linux/xattr.js';
import type { MkcomposefsOptions } from './mkcomposefs-options.js';
import { failuresOf, type ToolFailure } from './tool-failure.js';

const { err, errx } = failuresOf('mkcomposefs');

/**
 * The tree of a directory as mkcomposefs sees it: hard links are inodes of their own unless `--hardlinks` is given.
 *
 * @throws ToolFailure
 */
export async function readSourceDirectory(options: MkcomposefsOptions): Promise<Directory> {
  const { source, digestStore, skipXattrs, userXattrs, hardlinks, threads } = options;
  if (skipXattrs && userXattrs) throw errx(`error accessing ${source}: Invalid argument`);
  try {
    const root = await readDirectory(source, {
      destination: destinationOf(digestStore),
      threads,
      ownThread: true,
      hardlinks: hardlinks ? 'tracked' : 'break',
      readXattrs: skipXattrs ? () => NO_XATTRS : (path) => readCXattrs(path, userXattrs),
    });
    if (options.skipDevices) removeDevices(root);
    if (options.useEpoch) resetMtimes(root);
    return root;
  } catch (error) {
    throw failureOf(error, source);
  }
}

function destinationOf(digestStore: string | undefined): ContentDestination {
  const algorithm = 'sha256';
  return digestStore === undefined ? { kind: 'none', algorithm } : { kind: 'flat-store', path: digestStore, algorithm };
}

function readCXattrs(path: Buffer, onlyUser: boolean): Xattrs {
  let xattrs: Xattrs = readXattrs(path);
  if (onlyUser) xattrs = new Map([...xattrs].filter(([name]) => name.startsWith('user.')));
  if (!fitCXattrs(xattrs)) throw new ComposefsError('ERANGE', 'the xattrs of a file are too large for an image');
  return xattrs;
}

function failureOf(error: unknown, source: string): unknown {
  if (findCause(error, FlatStoreError) !== undefined) return err('cannot fill store', error);
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
