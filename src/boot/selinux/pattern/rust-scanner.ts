import { PatternSyntaxError } from './syntax-error.js';

/** A position in a pattern of characters. The methods follow those of regex-syntax, so that they can be compared. */
export class RustScanner {
  readonly #text: string;
  #position = 0;
  /** Whether comments are passed over. Patterns have no white space. */
  isExtended = false;

  constructor(text: string) {
    this.#text = text;
  }

  get isAtEnd(): boolean {
    return this.#position >= this.#text.length;
  }

  /** The character at the position; empty at the end. */
  get char(): string {
    return this.#charAt(this.#position);
  }

  /** The character behind that at the position; empty behind the end. */
  get next(): string {
    return this.#charAt(this.#position + this.char.length);
  }

  /** Like {@link next}, for callers that would pass over a comment. */
  get nextBehindComment(): string {
    const { next } = this;
    return this.isExtended && next === '#' ? '' : next;
  }

  /** Goes past the character. */
  bump(): void {
    this.#position += this.char.length;
  }

  /** {@link bump}, and past a comment. */
  bumpSpace(): void {
    this.bump();
    this.skipComment();
  }

  /** {@link bumpSpace}, where the pattern must not end. @throws PatternSyntaxError */
  mustBump(): void {
    this.bumpSpace();
    if (this.isAtEnd) throw new PatternSyntaxError('unexpected end');
  }

  /** A comment goes to the end. */
  skipComment(): void {
    if (this.isExtended && this.char === '#') this.#position = this.#text.length;
  }

  /** Goes past a prefix, if it is there. */
  bumpIf(prefix: string): boolean {
    if (!this.#text.startsWith(prefix, this.#position)) return false;
    this.#position += prefix.length;
    return true;
  }

  /** Goes past what a sticky expression matches at the position. */
  bumpMatch(expression: RegExp): RegExpExecArray | undefined {
    expression.lastIndex = this.#position;
    const match = expression.exec(this.#text);
    if (match !== null) this.#position += match[0].length;
    return match ?? undefined;
  }

  /** Whether a sticky expression matches at the position. */
  looksAt(expression: RegExp): boolean {
    expression.lastIndex = this.#position;
    return expression.test(this.#text);
  }

  #charAt(position: number): string {
    const code = this.#text.codePointAt(position);
    return code === undefined ? '' : String.fromCodePoint(code);
  }
}
