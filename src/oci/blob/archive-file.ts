import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { COMPRESSION_MAGIC_BYTES, readableCompression } from '../../compression/decompress.js';
import { ComposefsError, ContextError, errorCode } from '../../errors.js';
import { readInto, writeFully } from '../../fs/files.js';
import { openUnlinked, temporaryDirectory } from '../../fs/spool.js';
import { procPath } from '../../linux/link.js';
import { tarLimits } from '../model/layer-limits.js';
import { readFileBlob } from './blob-file.js';
import { realPathOf } from './opened-path.js';

/** An open archive whose bytes are those of a tar. */
export interface ArchiveFile {
  /** Leads to the tar as long as this is open, wherever the paths to it lead meanwhile. */
  readonly path: string;
  /** That of the archive as it was opened, without links. */
  readonly realPath: string;
  close(): void;
}

/**
 * Opens an archive. A compressed one is decompressed into a file without a name, in `TMPDIR` or `/var/tmp`: blobs are read
 * in any order, and several at once.
 *
 * @throws CompressionError; ComposefsError `BLOB_NOT_A_FILE`, `SOURCE_MOVED`; system errors as they are.
 */
export async function openArchive(path: string, signal?: AbortSignal): Promise<ArchiveFile> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  let isKept = false;
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) {
      const hint = stat.isDirectory() ? { hint: `a directory may be oci:${path} or dir:${path}` } : {};
      throw new ComposefsError('BLOB_NOT_A_FILE', `${path} is not a regular file`, hint);
    }
    const realPath = realPathOf(fd);
    const start = Buffer.alloc(COMPRESSION_MAGIC_BYTES);
    const length = readInto(fd, start, 0);
    const compression = readableCompression(start.subarray(0, length), `Decompress ${path} first.`);
    if (compression === 'none') {
      isKept = true;
      return { path: procPath(fd), realPath, close: () => closeSync(fd) };
    }
    const whole = { kind: 'file', path: procPath(fd), offset: 0, size: stat.size, compression } as const;
    const tar = await unpack(readFileBlob(whole), stat.size, signal);
    return { path: procPath(tar), realPath, close: () => closeSync(tar) };
  } finally {
    if (!isKept) closeSync(fd);
  }
}

/**
 * @param packedSize of the archive, which bounds the tar as a blob bounds a layer.
 * @returns the descriptor of a file that nobody else can reach, and that is gone with it.
 */
async function unpack(
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
  packedSize: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { maxTarBytes } = tarLimits({}, packedSize);
  const directory = temporaryDirectory();
  const fd = openUnlinked(directory);
  let size = 0;
  try {
    for await (const chunk of chunks) {
      signal?.throwIfAborted();
      size += chunk.length;
      if (size > maxTarBytes) {
        const message = `${packedSize} bytes decompress to more than ${maxTarBytes}`;
        throw new ComposefsError('ARCHIVE_TOO_LARGE', message, { hint: 'If that is right, decompress it first.' });
      }
      writeFully(fd, chunk);
    }
    return fd;
  } catch (error) {
    closeSync(fd);
    if (!['ENOSPC', 'EDQUOT'].includes(errorCode(error))) throw error;
    const message = `there is no room in ${directory} to decompress the archive`;
    throw new ContextError(message, error, 'TMPDIR names another directory.');
  }
}
