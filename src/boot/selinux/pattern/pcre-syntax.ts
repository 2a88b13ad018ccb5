/**
 * The syntax of PCRE2 with its default options on bytes, as far as it is regular, with lookarounds: the dialect in which
 * those patterns of a policy are read that regex-syntax refuses (spec 50 §3.8, engine B).
 */

import { type ByteString, byteStringFromText } from '../../../bytes/byte-string.js';
import { ALL_BYTES, complement, singleByte } from './byte-set.js';
import { type Assertion, alternatives, literal, type PatternNode, sequence, widthOf } from './pattern-node.js';
import { PatternScanner } from './pattern-scanner.js';
import { isPosixClass, parsePcreClass } from './pcre-class.js';
import { PCRE_CLASSES, refuseEscape, takeByteEscape } from './pcre-escape.js';
import { PatternSyntaxError, UntranslatableError } from './syntax-error.js';

/** Of parentheses. */
const NESTING_MAX = 250;
const COUNT_MAX = 65_535;
/** What a lookbehind may take, if that is fixed, and if it is not. */
const LOOKBEHIND_MAX = 65_535;
const VARIABLE_LOOKBEHIND_MAX = 255;

interface Flags {
  readonly ignoreCase: boolean;
  readonly multiLine: boolean;
  readonly dotAll: boolean;
  /** White space and comments mean nothing. */
  readonly extended: boolean;
}

const NO_FLAGS: Flags = { ignoreCase: false, multiLine: false, dotAll: false, extended: false };

/** `J`, `U` and `n` change names, greed and captures, about which nobody asks here. */
const FLAG_NAMES: Readonly<Record<string, keyof Flags | undefined>> = {
  i: 'ignoreCase',
  m: 'multiLine',
  s: 'dotAll',
  x: 'extended',
};

const ASSERTION_ESCAPES: Readonly<Record<string, Assertion>> = {
  A: 'start',
  G: 'start',
  b: 'word-boundary',
  B: 'no-word-boundary',
  Z: 'end',
  z: 'end',
};

const NOT_LINE_FEED: PatternNode = { type: 'set', set: complement(singleByte(0x0a)) };

const COUNT = /\{(\d+)(?:(,)(\d*))?\}/y;
const FLAG_GROUP = /\?(\^?)([A-Za-z]*)(-?)([A-Za-z]*)([:)])/y;
const GROUP_NAME = /\?(?:P?<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')/y;

/**
 * The meaning of a pattern. It is to be found at any place in a subject, so that it begins with `^` if it is for the start.
 * A `$` is the very end: subjects do not end in a line feed.
 *
 * @throws PatternSyntaxError what PCRE2 refuses.
 * @throws UntranslatableError what is not regular (back references, recursion, atomic groups), or rare.
 */
export function parsePcrePattern(text: string): PatternNode {
  return new PcreParser(byteStringFromText(text)).parse();
}

class PcreParser {
  readonly #scanner: PatternScanner;
  #flags = NO_FLAGS;
  readonly #groupNames = new Set<string>();

  constructor(pattern: ByteString) {
    this.#scanner = new PatternScanner(pattern);
  }

  parse(): PatternNode {
    const node = this.#parseAlternatives(0);
    if (!this.#scanner.isAtEnd) throw new PatternSyntaxError('unmatched closing parenthesis');
    return node;
  }

  /** One after the other, with the flags that the last of them sets. */
  #parseAlternatives(level: number): PatternNode {
    if (level > NESTING_MAX) throw new PatternSyntaxError('parentheses are too deeply nested');
    const options: PatternNode[] = [];
    do options.push(this.#parseSequence(level));
    while (this.#scanner.takePrefix('|'));
    return alternatives(options);
  }

  #parseSequence(level: number): PatternNode {
    const scanner = this.#scanner;
    const parts: PatternNode[] = [];
    /** The last part, as long as a quantifier may come. */
    let repeatable: PatternNode | undefined;
    const append = (part: PatternNode) => {
      parts.push(part);
      repeatable = part;
    };
    while (!scanner.isAtEnd && scanner.peek() !== '|' && scanner.peek() !== ')') {
      if (this.#skipMeaningless()) continue;
      const count = this.#takeQuantifier();
      if (count !== undefined) {
        if (repeatable === undefined) throw new PatternSyntaxError('nothing to repeat');
        parts[parts.length - 1] = { type: 'repeat', node: repeatable, ...count };
        repeatable = undefined;
        continue;
      }
      const char = scanner.take();
      switch (char) {
        case '^':
          parts.push({ type: 'assertion', assertion: this.#flags.multiLine ? 'line-start' : 'start' });
          repeatable = undefined;
          break;
        case '$':
          parts.push({ type: 'assertion', assertion: this.#flags.multiLine ? 'line-end' : 'end' });
          repeatable = undefined;
          break;
        case '.':
          append(this.#flags.dotAll ? { type: 'set', set: ALL_BYTES } : NOT_LINE_FEED);
          break;
        case '[':
          append(this.#parseClass());
          break;
        case '(': {
          const group = this.#parseGroup(level);
          if (group === undefined) repeatable = undefined;
          else append(group);
          break;
        }
        case '\\':
          if (scanner.takePrefix('Q')) {
            for (const byte of this.#takeQuoted()) append(literal(byte, this.#flags.ignoreCase));
          } else {
            const node = this.#parseEscape();
            append(node);
            if (node.type === 'assertion') repeatable = undefined;
          }
          break;
        default:
          append(literal(char as ByteString, this.#flags.ignoreCase));
      }
    }
    return sequence(parts);
  }

  /** Comments, `\E`, and `\Q\E`: a quantifier behind them is for what is before them. */
  #skipMeaningless(): boolean {
    const scanner = this.#scanner;
    if (scanner.takePrefix('(?#')) {
      const end = scanner.text.indexOf(')', scanner.position);
      if (end < 0) throw new PatternSyntaxError('unclosed comment');
      scanner.position = end + 1;
      return true;
    }
    if (this.#flags.extended && scanner.peek() === '#') {
      const end = scanner.text.indexOf('\n', scanner.position);
      scanner.position = end < 0 ? scanner.text.length : end + 1;
      return true;
    }
    return scanner.takePrefix('\\Q\\E') || scanner.takePrefix('\\E');
  }

  /** What is before `\E`, or all. */
  #takeQuoted(): ByteString[] {
    const scanner = this.#scanner;
    const end = scanner.text.indexOf('\\E', scanner.position);
    const quoted = scanner.text.slice(scanner.position, end < 0 ? undefined : end);
    scanner.position = end < 0 ? scanner.text.length : end + 2;
    return quoted.split('') as ByteString[];
  }

  #takeQuantifier(): { min: number; max: number } | undefined {
    const scanner = this.#scanner;
    const count = this.#takeCount();
    if (count === undefined) return undefined;
    if (scanner.peek() === '+') throw new UntranslatableError('a possessive quantifier');
    scanner.takePrefix('?');
    return count;
  }

  #takeCount(): { min: number; max: number } | undefined {
    const scanner = this.#scanner;
    if (scanner.takePrefix('*')) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (scanner.takePrefix('+')) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (scanner.takePrefix('?')) return { min: 0, max: 1 };
    if (scanner.peek() !== '{') return undefined;
    if (/^\{,\d+\}/.test(scanner.text.slice(scanner.position))) {
      throw new UntranslatableError('{,n}, of which versions of PCRE2 make different things');
    }
    const match = scanner.takeMatch(COUNT);
    if (match === undefined) return undefined;
    const min = Number(match[1]);
    const max = match[2] === undefined ? min : match[3] === '' ? Number.POSITIVE_INFINITY : Number(match[3]);
    if (min > COUNT_MAX || (max > COUNT_MAX && max !== Number.POSITIVE_INFINITY) || min > max) {
      throw new PatternSyntaxError('invalid counts of a quantifier');
    }
    return { min, max };
  }

  #parseClass(): PatternNode {
    const scanner = this.#scanner;
    if (scanner.takePrefix('[:<:]]')) return { type: 'assertion', assertion: 'word-start' };
    if (scanner.takePrefix('[:>:]]')) return { type: 'assertion', assertion: 'word-end' };
    if (isPosixClass(scanner)) throw new PatternSyntaxError('a POSIX class outside of a class');
    return { type: 'set', set: parsePcreClass(scanner, this.#flags.ignoreCase) };
  }

  #parseEscape(): PatternNode {
    const scanner = this.#scanner;
    const byte = takeByteEscape(scanner);
    if (byte !== undefined) return literal(String.fromCharCode(byte) as ByteString, this.#flags.ignoreCase);
    const letter = scanner.take();
    const set = PCRE_CLASSES[letter];
    if (set !== undefined) return { type: 'set', set };
    if (letter === 'N') {
      if (/^\{(?!\d+(?:,\d*)?\})/.test(scanner.text.slice(scanner.position))) throw refuseEscape('N{');
      return NOT_LINE_FEED;
    }
    const assertion = ASSERTION_ESCAPES[letter];
    if (assertion === undefined) throw refuseEscape(letter);
    return { type: 'assertion', assertion };
  }

  /** Behind the parenthesis. Undefined: flags for the rest of the group around. */
  #parseGroup(level: number): PatternNode | undefined {
    const scanner = this.#scanner;
    const outerFlags = this.#flags;
    const kind = scanner.peek();
    let finish = (node: PatternNode): PatternNode => node;
    if (kind === '*' && /[A-Za-z:]/.test(scanner.peek(1))) throw new UntranslatableError(`(*${scanner.peek(1)}`);
    if (kind === '?') {
      const lookaround = this.#takeLookaround();
      if (lookaround !== undefined) finish = lookaround;
      else if (!scanner.takePrefix('?|') && !this.#takeGroupName()) {
        const { flags, isGroup } = this.#takeFlags();
        this.#flags = flags;
        if (!isGroup) return undefined;
      }
    }
    const node = this.#parseAlternatives(level + 1);
    if (!scanner.takePrefix(')')) throw new PatternSyntaxError('missing closing parenthesis');
    this.#flags = outerFlags;
    return finish(node);
  }

  /** What makes a lookaround of what is in the group. */
  #takeLookaround(): ((node: PatternNode) => PatternNode) | undefined {
    const scanner = this.#scanner;
    for (const negative of [false, true]) {
      const sign = negative ? '!' : '=';
      if (scanner.takePrefix(`?${sign}`)) return (node) => ({ type: 'lookaround', node, negative, behind: undefined });
      if (scanner.takePrefix(`?<${sign}`)) return (node) => lookbehind(node, negative);
    }
    return undefined;
  }

  #takeGroupName(): boolean {
    const match = this.#scanner.takeMatch(GROUP_NAME);
    const name = match?.[1] ?? match?.[2];
    if (name === undefined) return false;
    if (this.#groupNames.has(name)) throw new UntranslatableError('two groups of one name');
    this.#groupNames.add(name);
    return true;
  }

  #takeFlags(): { flags: Flags; isGroup: boolean } {
    const scanner = this.#scanner;
    const match = scanner.takeMatch(FLAG_GROUP);
    if (match === undefined) throw refuseGroup(scanner.text.slice(scanner.position));
    const [, caret = '', on = '', minus = '', off = '', end] = match;
    if (!/^[imsxnJU]*$/.test(on + off)) throw refuseGroup(match[0]);
    if (caret !== '' && minus !== '') throw new PatternSyntaxError('invalid hyphen in options');
    const flags = { ...(caret === '' ? this.#flags : NO_FLAGS) };
    for (const [names, value] of [
      [on, true],
      [off, false],
    ] as const) {
      for (const name of names) {
        const flag = FLAG_NAMES[name];
        if (flag !== undefined) flags[flag] = value;
      }
    }
    return { flags, isGroup: end === ':' };
  }
}

function lookbehind(node: PatternNode, negative: boolean): PatternNode {
  for (const option of node.type === 'alternatives' ? node.options : [node]) {
    const { min, max } = widthOf(option);
    if (max > (min === max ? LOOKBEHIND_MAX : VARIABLE_LOOKBEHIND_MAX)) {
      throw new PatternSyntaxError('a lookbehind without a bound');
    }
  }
  return { type: 'lookaround', node, negative, behind: widthOf(node) };
}

/** What begins with `(?` and is not regular, or nothing at all. */
function refuseGroup(text: string): Error {
  const known = /^\?(?:>|\(|&|R|[+-]?\d|P[>=]|C|=|!|\*|<\*|a|r)/.exec(text);
  return known === null ? new PatternSyntaxError('unknown group') : new UntranslatableError(`(${known[0]}`);
}
