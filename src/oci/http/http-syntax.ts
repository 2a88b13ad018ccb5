/** What came is not HTTP, or not in a form that can be read in one way only. The message ends a sentence. */
export class HttpSyntaxError extends Error {
  override readonly name = 'HttpSyntaxError';
}

const EMPTY = Buffer.alloc(0);

/** Lines that end with CR LF, or as servers have it that know no better with LF alone, out of pieces of any size. */
export class LineReader {
  readonly #what: string;
  #left: number;
  #pending: Buffer = EMPTY;
  #isStrict = true;

  /**
   * @param what - what the lines are, for errors.
   * @param limit - bytes in all, with the ends of lines.
   */
  constructor(what: string, limit: number) {
    this.#what = what;
    this.#left = limit;
  }

  /** False if a line ended without CR. */
  get isStrict(): boolean {
    return this.#isStrict;
  }

  /**
   * The next line of `data`, which goes on with `next`; undefined if it does not end in there, when all was taken in.
   * A character is a byte (ISO 8859-1).
   */
  read(data: Buffer, position: number): { readonly line: string; readonly next: number } | undefined {
    const end = data.indexOf(0x0a, position);
    const next = end < 0 ? data.length : end + 1;
    this.#left -= next - position;
    if (this.#left < 0) throw new HttpSyntaxError(`${this.#what} too long`);
    const piece = data.subarray(position, next);
    if (end < 0) {
      // The memory of `data` may be used for what comes next.
      this.#pending = Buffer.concat([this.#pending, piece]);
      return undefined;
    }
    const whole = this.#pending.length === 0 ? piece : Buffer.concat([this.#pending, piece]);
    this.#pending = EMPTY;
    const hasCr = whole.at(-2) === 0x0d;
    if (!hasCr) this.#isStrict = false;
    return { line: whole.toString('latin1', 0, whole.length - (hasCr ? 2 : 1)), next };
  }
}
