/** Classes in brackets, of PCRE2. */

import { type ByteSet, byteRange, complement, foldCase, NO_BYTES, POSIX_CLASSES, singleByte } from './byte-set.js';
import type { PatternScanner } from './pattern-scanner.js';
import { PCRE_CLASSES, refuseEscape, takeByteEscape, takeOctalEscape } from './pcre-escape.js';
import { PatternSyntaxError } from './syntax-error.js';

/**
 * Goes past a class, behind its `[`.
 *
 * @throws PatternSyntaxError, UntranslatableError
 */
export function parsePcreClass(scanner: PatternScanner, ignoreCase: boolean): ByteSet {
  return new PcreClassParser(scanner).parse(ignoreCase);
}

/** Whether `[:`, `[.` or `[=`, of which the second char comes next, is closed as in a POSIX class. */
export function isPosixClass(scanner: PatternScanner): boolean {
  return posixClassEnd(scanner) !== undefined;
}

/** A member: one byte, which can begin a range, or several, which cannot. */
type Member = { readonly byte: number } | { readonly set: ByteSet };

class PcreClassParser {
  readonly #scanner: PatternScanner;
  /** Between `\Q` and `\E`. */
  #isQuoted = false;

  constructor(scanner: PatternScanner) {
    this.#scanner = scanner;
  }

  parse(ignoreCase: boolean): ByteSet {
    const scanner = this.#scanner;
    const isNegated = scanner.takePrefix('^');
    let set = NO_BYTES;
    for (let isFirst = true; isFirst || !this.#isAtEnd(); isFirst = false) {
      set |= this.#takeMembers();
    }
    scanner.take();
    if (ignoreCase) set = foldCase(set);
    return isNegated ? complement(set) : set;
  }

  /** A `]` at the beginning is a member. */
  #isAtEnd(): boolean {
    this.#skipQuotes();
    return !this.#isQuoted && this.#scanner.peek() === ']';
  }

  #skipQuotes(): void {
    const scanner = this.#scanner;
    for (;;) {
      if (scanner.takePrefix('\\E')) this.#isQuoted = false;
      else if (!this.#isQuoted && scanner.takePrefix('\\Q')) this.#isQuoted = true;
      else return;
    }
  }

  #takeMembers(): ByteSet {
    this.#skipQuotes();
    const scanner = this.#scanner;
    const first = this.#takeMember();
    this.#skipQuotes();
    if (this.#isQuoted || scanner.peek() !== '-') return setOf(first);
    const start = scanner.position;
    scanner.take();
    if (this.#isAtEnd()) {
      scanner.position = start;
      return setOf(first);
    }
    const last = this.#takeMember();
    if ('set' in first || 'set' in last || first.byte > last.byte) throw new PatternSyntaxError('invalid range');
    return byteRange(first.byte, last.byte);
  }

  #takeMember(): Member {
    const scanner = this.#scanner;
    const char = scanner.take();
    if (char === '') throw new PatternSyntaxError('unclosed class');
    if (this.#isQuoted) return { byte: char.charCodeAt(0) };
    if (char === '[') {
      const set = this.#takePosixClass();
      if (set !== undefined) return { set };
    }
    if (char === '\\') return this.#takeEscape();
    return { byte: char.charCodeAt(0) };
  }

  #takeEscape(): Member {
    const scanner = this.#scanner;
    const byte = takeByteEscape(scanner);
    if (byte !== undefined) return { byte };
    const letter = scanner.peek();
    if (/[1-7]/.test(letter)) return { byte: takeOctalEscape(scanner) };
    if (letter === 'b') {
      scanner.take();
      return { byte: 0x08 };
    }
    const set = PCRE_CLASSES[letter];
    if (set === undefined) throw refuseEscape(letter);
    scanner.take();
    return { set };
  }

  /** Behind a `[`. Undefined if it is a byte and nothing more. */
  #takePosixClass(): ByteSet | undefined {
    const scanner = this.#scanner;
    const end = posixClassEnd(scanner);
    if (end === undefined) return undefined;
    const [, negation, name = ''] = /^:(\^?)(.*)$/s.exec(scanner.text.slice(scanner.position, end)) ?? [];
    const set = POSIX_CLASSES.get(name);
    if (set === undefined) throw new PatternSyntaxError('unknown POSIX class');
    scanner.position = end + 2;
    return negation === '' ? set : complement(set);
  }
}

function setOf(member: Member): ByteSet {
  return 'set' in member ? member.set : singleByte(member.byte);
}

/** Where the `:]`, `.]` or `=]` is. */
function posixClassEnd({ text, position }: PatternScanner): number | undefined {
  const terminator = text[position];
  if (terminator === undefined || !':.='.includes(terminator)) return undefined;
  for (let end = position + 1; end + 1 < text.length; end++) {
    const char = text[end];
    const next = text[end + 1];
    if (char === '\\' && (next === ']' || next === '\\')) end += 1;
    else if ((char === '[' && next === terminator) || char === ']') return undefined;
    else if (char === terminator && next === ']') return end;
  }
  return undefined;
}
