import { constants, fstatSync, openSync, readSync } from 'node:fs';
import { ComposefsError, errorCode } from '../../errors.js';
import { sleepSync, withFd } from '../../fs/files.js';

/** The certificates of a whole system are a quarter of a MiB. */
const MAX_BYTES = 16 << 20;
const CHUNK_BYTES = 64 << 10;
/** Milliseconds for a pipe to bring something. Meanwhile the process hears no signal. */
const PATIENCE = 10_000;
const PAUSE = 5;

/**
 * Reads settings, credentials, keys or certificates from a file that somebody named or that is in a well-known place.
 * A pipe will do, as in `--authfile <(pass show registry)`; one that stays silent, or a device without end, is an error.
 *
 * @param patience how long a pipe may bring nothing, in milliseconds.
 * @throws ComposefsError `FILE_TOO_LARGE`, `NOTHING_TO_READ`; system errors as they are.
 */
export function readSettingsFile(path: string, patience: number = PATIENCE): Buffer {
  return withFd(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK), (fd) => {
    const isPipe = fstatSync(fd).isFIFO();
    const chunks: Buffer[] = [];
    let size = 0;
    for (let waited = 0; ; ) {
      const chunk = readAvailable(fd);
      // A named pipe that nobody has opened for writing yet is at its end, too.
      if (chunk?.length === 0 && !(isPipe && size === 0)) return Buffer.concat(chunks);
      if (chunk === undefined || chunk.length === 0) {
        if (waited >= patience) {
          throw new ComposefsError('NOTHING_TO_READ', `Nothing came from ${path} for ${patience / 1000} seconds`);
        }
        sleepSync(PAUSE);
        waited += PAUSE;
        continue;
      }
      waited = 0;
      size += chunk.length;
      if (size > MAX_BYTES) {
        throw new ComposefsError('FILE_TOO_LARGE', `${path} has more than ${MAX_BYTES >> 20} MiB`);
      }
      chunks.push(chunk);
    }
  });
}

/** Empty at the end; undefined if there may be something later. */
function readAvailable(fd: number): Buffer | undefined {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  try {
    return buffer.subarray(0, readSync(fd, buffer));
  } catch (error) {
    if (errorCode(error) === 'EAGAIN') return undefined;
    throw error;
  }
}
