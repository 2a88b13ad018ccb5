import { closeSync, openSync } from 'node:fs';
import { writeErofsPieces } from '../../composefs/erofs/writer/write.js';
import type { FsVerityHasher } from '../../composefs/fsverity/hasher.js';
import type { Directory } from '../../composefs/index.js';
import { parseCDumpfilePieces, selectEpoch1Version } from '../../composefs/mkcomposefs/index.js';
import { DumpfileError, InvalidTreeError } from '../../error-classes.js';
import { errorCode, fullMessage } from '../../errors.js';
import { type MkcomposefsOptions, parseMkcomposefsOptions } from './mkcomposefs-options.js';
import { readPieces, STDIN, STDOUT, writeAll } from './stdio.js';
import { failuresOf, type ToolFailure } from './tool-failure.js';

const { err, errx } = failuresOf('mkcomposefs');

/**
 * `mkcomposefs [OPTIONS] SOURCE IMAGE` (spec 70 D1). Like the C tool it truncates IMAGE before it looks at SOURCE.
 *
 * @throws ToolFailure
 */
export async function mkcomposefs(args: readonly string[]): Promise<number> {
  const options = parseMkcomposefsOptions(args);
  const output = await openOutput(options.image);
  const root = options.fromFile ? readDumpfile(options.source) : await readDirectory(options);
  const hasher = options.printDigest ? await sha256Hasher() : undefined;
  writeImage(root, options, (piece) => {
    if (output !== undefined) writeAll(output, piece);
    hasher?.update(piece);
  });
  if (hasher !== undefined) writeAll(STDOUT, Buffer.from(`${hasher.digest()}\n`));
  if (output !== undefined && output !== STDOUT) closeOutput(output);
  return 0;
}

async function openOutput(image: string | undefined): Promise<number | undefined> {
  if (image === undefined) return undefined;
  if (image === '-') {
    // Loading what knows of terminals, and hashes below, is a good part of the start, and mostly for nothing.
    const { isatty } = await import('node:tty');
    if (isatty(STDOUT)) throw errx('stdout is a tty.  Refusing to use it');
    return STDOUT;
  }
  try {
    return openSync(image, 'w');
  } catch (error) {
    throw err('failed to open output file', error);
  }
}

async function sha256Hasher(): Promise<FsVerityHasher> {
  const { FsVerityHasher } = await import('../../composefs/fsverity/hasher.js');
  return new FsVerityHasher('sha256');
}

function closeOutput(fd: number): void {
  try {
    closeSync(fd);
  } catch (error) {
    throw err('close output file', error);
  }
}

function readDumpfile(path: string): Directory {
  const fd = path === '-' ? STDIN : openDumpfile(path);
  try {
    return parseCDumpfilePieces(inputPieces(fd), { strict: process.env['CFS_PARSE_STRICT'] !== undefined });
  } catch (error) {
    throw error instanceof DumpfileError ? errx(error.message) : writeFailure(error);
  } finally {
    if (fd !== STDIN) closeSync(fd);
  }
}

function openDumpfile(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw err(`open \`${path}\``, error);
  }
}

function* inputPieces(fd: number): Generator<Buffer> {
  try {
    yield* readPieces(fd);
  } catch {
    throw errx('Error reading from file');
  }
}

/** Loaded when it is needed: most of it is for storing objects. */
async function readDirectory(options: MkcomposefsOptions): Promise<Directory> {
  const { readSourceDirectory } = await import('./mkcomposefs-directory.js');
  return await readSourceDirectory(options);
}

function writeImage(
  root: Directory,
  { minVersion, maxVersion }: MkcomposefsOptions,
  take: (piece: Uint8Array) => void,
): void {
  try {
    const version = selectEpoch1Version(root, { min: minVersion, max: maxVersion });
    writeErofsPieces(root, { version, algorithm: 'sha256', dialect: 'mkcomposefs' }, take);
  } catch (error) {
    throw errorCode(error) === 'EPIPE' ? error : writeFailure(error);
  }
}

/** What the C library notices when it writes. */
function writeFailure(error: unknown): unknown {
  if (error instanceof InvalidTreeError) return invalidTree(error);
  return errorCode(error) === 'INTERNAL' ? error : err('cannot write file', error);
}

function invalidTree(error: InvalidTreeError): ToolFailure {
  if (error.kind === 'file-size') return errx('cannot write file: File too large');
  return errx(`cannot write file: ${fullMessage(error)}`);
}
