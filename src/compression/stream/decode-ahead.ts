/**
 * Decodes on the thread pool, one piece ahead of the caller. Two buffers take turns: fresh ones would cost as much as the
 * decoding, in page faults and garbage collection.
 *
 * @param outputSize of a buffer, in bytes.
 * @param fill decodes into a buffer and tells how many bytes it has become; none is the end. Not called again before it is done.
 * @param free called once, when nothing works on the input any more, whether all of it was decoded or not.
 */
export async function* decodeAhead(
  outputSize: number,
  fill: (output: Buffer) => Promise<number>,
  free: () => void,
): AsyncGenerator<Buffer, void> {
  let [output, other] = [Buffer.allocUnsafeSlow(outputSize), Buffer.allocUnsafeSlow(outputSize)];
  const decodePiece = async (): Promise<Buffer> => {
    [output, other] = [other, output];
    const piece = output;
    return piece.subarray(0, await fill(piece));
  };
  let ahead = decodePiece();
  try {
    for (;;) {
      const piece = await ahead;
      if (piece.length === 0) return;
      ahead = decodePiece();
      // Reported when its turn comes; it must not count as unhandled until then.
      ahead.catch(() => undefined);
      yield piece;
    }
  } finally {
    // The thread pool may still be using what is freed.
    ahead.then(free, free);
  }
}
