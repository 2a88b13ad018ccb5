/**
 * Reads an asynchronous source one chunk ahead, so that the source works while the chunk before is being decoded.
 * The chunk ahead is requested when a chunk is taken; its failure is reported when its turn comes.
 */
export class ReadAhead {
  readonly #source: AsyncIterator<Buffer>;
  #ahead: Promise<IteratorResult<Buffer>> | undefined;
  #settled = true;

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The next chunk, which is never empty; undefined at the end. */
  async next(): Promise<Buffer | undefined> {
    for (;;) {
      const result = await (this.#ahead ?? this.#request());
      if (result.done === true) return undefined;
      void this.#request();
      if (result.value.length > 0) return result.value;
    }
  }

  /**
   * Tells the source that no more is wanted. Waits for it, but not if it is still busy with a chunk: it might be
   * waiting for a network that never answers.
   */
  async close(): Promise<void> {
    const closing = this.#source.return?.();
    if (closing === undefined) return;
    if (this.#settled) await closing;
    else closing.catch(() => undefined);
  }

  #request(): Promise<IteratorResult<Buffer>> {
    this.#settled = false;
    const ahead = this.#source.next();
    const settle = (): void => {
      this.#settled = true;
    };
    // Also marks a failure as handled, if nobody asks for that chunk any more.
    ahead.then(settle, settle);
    this.#ahead = ahead;
    return ahead;
  }
}
