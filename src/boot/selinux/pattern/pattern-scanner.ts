/** A position in a pattern. */
export class PatternScanner {
  readonly text: string;
  position = 0;

  constructor(text: string) {
    this.text = text;
  }

  get isAtEnd(): boolean {
    return this.position >= this.text.length;
  }

  /** The char at the position or `offset` chars behind it; empty behind the end. */
  peek(offset = 0): string {
    return this.text[this.position + offset] ?? '';
  }

  /** Goes past a char, which it returns; empty at the end. */
  take(): string {
    const char = this.peek();
    this.position += 1;
    return char;
  }

  startsWith(prefix: string): boolean {
    return this.text.startsWith(prefix, this.position);
  }

  /** Goes past a prefix, if it is there. */
  takePrefix(prefix: string): boolean {
    if (!this.startsWith(prefix)) return false;
    this.position += prefix.length;
    return true;
  }

  /** Goes past what a sticky expression matches at the position. */
  takeMatch(expression: RegExp): RegExpExecArray | undefined {
    expression.lastIndex = this.position;
    const match = expression.exec(this.text);
    if (match === null) return undefined;
    this.position += match[0].length;
    return match;
  }
}
