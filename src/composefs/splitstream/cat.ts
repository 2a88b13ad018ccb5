import { withContext } from '../../errors.js';
import type { ObjectId } from '../fsverity/object-id.js';
import type { SplitStreamReader } from './reader.js';

/**
 * Reassembles the rest of a stream: inline bytes and whole objects in order (context
 * `Concatenating splitstream to output`). The lengths of the objects are not checked against anything.
 */
export function* catSplitStream(
  reader: SplitStreamReader,
  readObject: (id: ObjectId) => Iterable<Buffer>,
): Generator<Buffer> {
  const inContext = <T>(action: () => T): T => withContext('Concatenating splitstream to output', action);
  for (let chunk = inContext(() => reader.nextChunk()); chunk !== undefined; ) {
    if (chunk.type === 'inline') yield chunk.data;
    else {
      const { id } = chunk;
      const pieces = inContext(() => readObject(id)[Symbol.iterator]());
      try {
        for (let piece = inContext(() => pieces.next()); piece.done !== true; piece = inContext(() => pieces.next())) {
          yield piece.value;
        }
      } finally {
        pieces.return?.();
      }
    }
    chunk = inContext(() => reader.nextChunk());
  }
}
