import { Socket } from 'node:net';
import { duplicateFd } from '../../linux/pipe.js';

/**
 * The bytes of a pipe, as they come. Waiting for them takes no thread.
 *
 * @param pipeFd stays the caller's, and may be another thread's.
 * @param size how many bytes to read; without it, all up to the end. It is not waited for the end after the last byte.
 */
export async function* readPipe(pipeFd: number, size: number = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer> {
  if (size === 0) return;
  const socket = new Socket({ fd: duplicateFd(pipeFd), readable: true, writable: false });
  let left = size;
  try {
    for await (const chunk of socket) {
      const wanted: Buffer = chunk.subarray(0, left);
      left -= wanted.length;
      yield wanted;
      if (left === 0) return;
    }
  } finally {
    socket.destroy();
  }
}
