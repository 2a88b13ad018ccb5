/**
 * The syntax of Rust's regex-syntax 0.8 without Unicode, as composefs-rs configures it: the dialect in which patterns of a
 * policy are read first (spec 50 §3.8, engine A). What is refused here is read as a pattern of PCRE2.
 */

import { byteStringFromText } from '../../../bytes/byte-string.js';
import {
  ALL_BYTES,
  type ByteSet,
  byteRange,
  bytesOf,
  complement,
  foldCase,
  NO_BYTES,
  PERL_CLASSES,
  POSIX_CLASSES,
  singleByte,
} from './byte-set.js';
import { type Assertion, alternatives, literal, NOTHING, type PatternNode, sequence } from './pattern-node.js';
import { PatternSyntaxError, UntranslatableError } from './syntax-error.js';

/** The nesting of regex-syntax: of groups, sequences, alternatives, repetitions and classes. */
const NESTING_MAX = 250;
const COUNT_MAX = 0xffff_ffff;

interface Flags {
  readonly ignoreCase: boolean;
  readonly multiLine: boolean;
  readonly dotAll: boolean;
  readonly crlf: boolean;
  /** White space and comments mean nothing. */
  readonly extended: boolean;
}

const NO_FLAGS: Flags = { ignoreCase: false, multiLine: false, dotAll: false, crlf: false, extended: false };

/** `U` swaps greed, which changes nothing about whether there is a match. */
const FLAG_NAMES: Readonly<Record<string, keyof Flags | undefined>> = {
  i: 'ignoreCase',
  m: 'multiLine',
  s: 'dotAll',
  R: 'crlf',
  x: 'extended',
};

/** A node, with what regex-syntax counts as its depth. */
interface Item {
  readonly node: PatternNode;
  readonly depth: number;
  /** False for flags, after which no quantifier may come. */
  readonly isExpression: boolean;
}

/** What one escape, or one char, stands for. */
type Primitive =
  | { readonly kind: 'char'; readonly code: number }
  | { readonly kind: 'byte'; readonly byte: number }
  | { readonly kind: 'class'; readonly set: ByteSet }
  | { readonly kind: 'assertion'; readonly assertion: Assertion };

const SPECIAL_ESCAPES: Readonly<Record<string, number>> = { a: 0x07, f: 0x0c, t: 0x09, n: 0x0a, r: 0x0d, v: 0x0b };

const WORD_BOUNDARIES: Readonly<Record<string, Assertion>> = {
  start: 'word-start',
  end: 'word-end',
  'start-half': 'word-start-half',
  'end-half': 'word-end-half',
};

const HEX_LENGTHS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/**
 * The meaning of a pattern.
 *
 * @throws PatternSyntaxError what regex-syntax refuses.
 * @throws UntranslatableError for `(?u)`, which asks for Unicode.
 */
export function parseRustPattern(text: string): PatternNode {
  return new RustParser(text).parse();
}

class RustParser {
  readonly #text: string;
  #pos = 0;
  #flags = NO_FLAGS;
  readonly #groupNames = new Set<string>();

  constructor(text: string) {
    this.#text = text;
  }

  parse(): PatternNode {
    const { node, depth } = this.#parseAlternatives(0);
    if (this.#char() !== '') throw new PatternSyntaxError('unopened group');
    if (depth > NESTING_MAX) throw new PatternSyntaxError('nested too deeply');
    return node;
  }

  /** The character at the position, or nothing at the end. Names follow regex-syntax, so that they can be compared. */
  #char(): string {
    const code = this.#text.codePointAt(this.#pos);
    return code === undefined ? '' : String.fromCodePoint(code);
  }

  #peek(): string {
    const code = this.#text.codePointAt(this.#pos + this.#char().length);
    return code === undefined ? '' : String.fromCodePoint(code);
  }

  /** False at the end. */
  #bump(): boolean {
    this.#pos += this.#char().length;
    return this.#pos < this.#text.length;
  }

  #bumpIf(prefix: string): boolean {
    if (!this.#text.startsWith(prefix, this.#pos)) return false;
    this.#pos += prefix.length;
    return true;
  }

  /** Passes over a comment. Patterns have no white space. */
  #bumpSpace(): void {
    if (this.#flags.extended && this.#char() === '#') this.#pos = this.#text.length;
  }

  #bumpAndBumpSpace(): boolean {
    if (!this.#bump()) return false;
    this.#bumpSpace();
    return this.#pos < this.#text.length;
  }

  /** {@link #bumpAndBumpSpace}, where the pattern must not end. */
  #mustBump(): void {
    if (!this.#bumpAndBumpSpace()) throw new PatternSyntaxError('unexpected end');
  }

  #parseAlternatives(level: number): Item {
    // Every group is at least one level of depth.
    if (level > NESTING_MAX) throw new PatternSyntaxError('nested too deeply');
    const options: Item[] = [];
    let items: Item[] = [];
    for (;;) {
      this.#bumpSpace();
      const char = this.#char();
      if (char === '' || char === ')') break;
      if (char === '|') {
        this.#bump();
        options.push(concatenate(items));
        items = [];
      } else {
        this.#parseItem(char, items, level);
      }
    }
    options.push(concatenate(items));
    if (options.length === 1 && options[0] !== undefined) return options[0];
    return { node: alternatives(nodesOf(options)), depth: 1 + deepest(options), isExpression: true };
  }

  #parseItem(char: string, items: Item[], level: number): void {
    switch (char) {
      case '(':
        items.push(this.#parseGroup(level));
        return;
      case '[': {
        const { set, depth } = this.#parseClass(0);
        items.push({ node: { type: 'set', set }, depth, isExpression: true });
        return;
      }
      case '?':
      case '*':
      case '+':
        this.#bump();
        this.#bumpIf('?');
        repeatLast(items, char === '+' ? 1 : 0, char === '?' ? 1 : Number.POSITIVE_INFINITY);
        return;
      case '{':
        this.#parseCountedRepetition(items);
        return;
      default:
        items.push({ node: this.#parsePrimitiveNode(char), depth: 0, isExpression: true });
    }
  }

  /** A group, or flags for the rest of the group around. */
  #parseGroup(level: number): Item {
    const outerFlags = this.#flags;
    this.#bump();
    this.#bumpSpace();
    if (/^\?(?:=|!|<=|<!)/.test(this.#text.slice(this.#pos, this.#pos + 3))) {
      throw new PatternSyntaxError('lookaround');
    }
    if (this.#bumpIf('?P<') || this.#bumpIf('?<')) {
      this.#parseGroupName();
    } else if (this.#bumpIf('?')) {
      const { flags, isEmpty } = this.#parseFlags();
      const end = this.#char();
      this.#bump();
      if (end === ')') {
        if (isEmpty) throw new PatternSyntaxError('nothing to repeat');
        this.#flags = flags;
        return { node: NOTHING, depth: 0, isExpression: false };
      }
      this.#flags = flags;
    }
    const { node, depth } = this.#parseAlternatives(level + 1);
    if (this.#char() !== ')') throw new PatternSyntaxError('unclosed group');
    this.#bump();
    this.#flags = outerFlags;
    return { node, depth: depth + 1, isExpression: true };
  }

  #parseGroupName(): void {
    const match = /^[\p{Alphabetic}_][\p{Alphabetic}\p{N}_.[\]]*>/u.exec(this.#text.slice(this.#pos));
    if (match === null) throw new PatternSyntaxError('invalid group name');
    if (this.#groupNames.has(match[0])) throw new PatternSyntaxError('duplicate group name');
    this.#groupNames.add(match[0]);
    this.#pos += match[0].length;
  }

  #parseFlags(): { flags: Flags; isEmpty: boolean } {
    const end = this.#text.slice(this.#pos).search(/[:)]/);
    if (end < 0) throw new PatternSyntaxError('unclosed flags');
    const text = this.#text.slice(this.#pos, this.#pos + end);
    // One negation, no flag twice.
    if (!/^[imsUuRx]*(?:-[imsUuRx]+)?$/.test(text) || new Set(text).size < text.length) {
      throw new PatternSyntaxError('invalid flags');
    }
    this.#pos += end;
    const [on = '', off = ''] = text.split('-');
    if (on.includes('u')) throw new UntranslatableError('(?u), Unicode');
    const flags = { ...this.#flags };
    for (const name of on) set(name, true);
    for (const name of off) set(name, false);
    return { flags, isEmpty: text === '' };

    function set(name: string, value: boolean): void {
      const flag = FLAG_NAMES[name];
      if (flag !== undefined) flags[flag] = value;
    }
  }

  #parseCountedRepetition(items: Item[]): void {
    // What is repeated is looked at first, as there it decides which error it is; here it only is one.
    this.#mustBump();
    const min = this.#parseDecimal();
    let max = min;
    if (this.#char() === ',') {
      this.#mustBump();
      max = this.#char() === '}' ? Number.POSITIVE_INFINITY : this.#parseDecimal();
    }
    if (this.#char() !== '}') throw new PatternSyntaxError('unclosed counted repetition');
    if (this.#bumpAndBumpSpace() && this.#char() === '?') this.#bump();
    if (min > max) throw new PatternSyntaxError('invalid counted repetition');
    repeatLast(items, min, max);
  }

  #parseDecimal(): number {
    let digits = '';
    for (; /^[0-9]$/.test(this.#char()); this.#bumpAndBumpSpace()) digits += this.#char();
    if (digits === '' || Number(digits) > COUNT_MAX) throw new PatternSyntaxError('invalid number');
    return Number(digits);
  }

  #parsePrimitiveNode(char: string): PatternNode {
    const { ignoreCase, multiLine, dotAll, crlf } = this.#flags;
    switch (char) {
      case '.':
        this.#bump();
        if (dotAll) return { type: 'set', set: ALL_BYTES };
        return { type: 'set', set: complement(crlf ? bytesOf('\r\n') : singleByte(0)) };
      case '^':
        this.#bump();
        return { type: 'assertion', assertion: multiLine ? (crlf ? 'crlf-line-start' : 'line-start') : 'start' };
      case '$':
        this.#bump();
        return { type: 'assertion', assertion: multiLine ? (crlf ? 'crlf-line-end' : 'line-end') : 'end' };
    }
    const primitive = this.#parsePrimitive();
    switch (primitive.kind) {
      case 'char':
        return literal(byteStringFromText(String.fromCodePoint(primitive.code)), ignoreCase);
      case 'byte':
        return { type: 'set', set: singleByte(primitive.byte) };
      case 'class':
        return { type: 'set', set: primitive.set };
      case 'assertion':
        return { type: 'assertion', assertion: primitive.assertion };
    }
  }

  /** One character or escape, inside or outside of a class. */
  #parsePrimitive(): Primitive {
    const char = this.#char();
    if (char === '\\') return this.#parseEscape();
    this.#bump();
    return { kind: 'char', code: char.codePointAt(0) ?? 0 };
  }

  #parseEscape(): Primitive {
    if (!this.#bump()) throw new PatternSyntaxError('unexpected end');
    const char = this.#char();
    const hexLength = HEX_LENGTHS[char];
    if (hexLength !== undefined) return this.#parseHex(hexLength);
    this.#bump();
    const perlClass = PERL_CLASSES[char.toLowerCase()];
    if (perlClass !== undefined) {
      return { kind: 'class', set: /[a-z]/.test(char) ? perlClass : complement(perlClass) };
    }
    const special = SPECIAL_ESCAPES[char];
    if (special !== undefined) return { kind: 'char', code: special };
    switch (char) {
      case 'A':
        return { kind: 'assertion', assertion: 'start' };
      case 'z':
        return { kind: 'assertion', assertion: 'end' };
      case 'b':
        return { kind: 'assertion', assertion: this.#parseSpecialWordBoundary() ?? 'word-boundary' };
      case 'B':
        return { kind: 'assertion', assertion: 'no-word-boundary' };
      case '<':
        return { kind: 'assertion', assertion: 'word-start' };
      case '>':
        return { kind: 'assertion', assertion: 'word-end' };
    }
    // Back references, Unicode classes, and what has no meaning are refused; so is all that is not ASCII.
    if (!/^[\0-\x7f]$/.test(char) || /[0-9A-Za-z]/.test(char)) throw new PatternSyntaxError('unknown escape');
    return { kind: 'char', code: char.charCodeAt(0) };
  }

  /** `{start}` and its like behind `\b`; undefined if something else is there. */
  #parseSpecialWordBoundary(): Assertion | undefined {
    if (this.#char() !== '{') return undefined;
    const start = this.#pos;
    this.#mustBump();
    if (!/^[A-Za-z-]$/.test(this.#char())) {
      this.#pos = start;
      return undefined;
    }
    let name = '';
    for (; /^[A-Za-z-]$/.test(this.#char()); this.#bumpAndBumpSpace()) name += this.#char();
    const assertion = Object.hasOwn(WORD_BOUNDARIES, name) ? WORD_BOUNDARIES[name] : undefined;
    if (this.#char() !== '}' || assertion === undefined) throw new PatternSyntaxError('unknown word boundary');
    this.#bump();
    return assertion;
  }

  /** At the letter behind the backslash. Only `\xHH` can be a byte that is no character. */
  #parseHex(length: number): Primitive {
    this.#mustBump();
    const isBraced = this.#char() === '{';
    let digits = '';
    if (isBraced) {
      while (this.#bumpAndBumpSpace() && this.#char() !== '}') digits += this.#char();
      if (this.#char() !== '}') throw new PatternSyntaxError('unclosed hexadecimal escape');
      this.#bumpAndBumpSpace();
    } else {
      for (let i = 0; i < length; i++) {
        if (i > 0) this.#mustBump();
        digits += this.#char();
      }
      this.#bumpAndBumpSpace();
    }
    const code = /^[0-9A-Fa-f]+$/.test(digits) ? Number.parseInt(digits, 16) : Number.NaN;
    if (!(code <= 0x10ffff) || (code >= 0xd800 && code <= 0xdfff)) {
      throw new PatternSyntaxError('invalid hexadecimal escape');
    }
    return !isBraced && length === 2 && code > 0x7f ? { kind: 'byte', byte: code } : { kind: 'char', code };
  }

  /** A class in brackets, in which there may be others, and operations on them: `&&`, `--`, `~~`. */
  #parseClass(level: number): { set: ByteSet; depth: number } {
    if (level > NESTING_MAX) throw new PatternSyntaxError('nested too deeply');
    this.#mustBump();
    const isNegated = this.#char() === '^';
    if (isNegated) this.#mustBump();
    let left: { set: ByteSet; depth: number } | undefined;
    let operation = '';
    let union = new ClassUnion();
    for (; this.#char() === '-'; this.#mustBump()) union.add(singleByte(0x2d), 0);
    if (union.size === 0 && this.#char() === ']') {
      union.add(singleByte(0x5d), 0);
      this.#mustBump();
    }
    const combine = () => {
      const right = { set: this.#fold(union.set), depth: union.depth };
      if (left === undefined) return right;
      const depth = 1 + Math.max(left.depth, right.depth);
      return { set: operate(operation, this.#fold(left.set), right.set), depth };
    };
    for (;;) {
      this.#bumpSpace();
      const char = this.#char();
      if (char === '') throw new PatternSyntaxError('unclosed class');
      if (char === ']') break;
      if (char === '[') {
        const posix = this.#parsePosixClass();
        if (posix !== undefined) {
          union.add(posix, 0);
        } else {
          const { set, depth } = this.#parseClass(level + 1);
          union.add(set, depth);
        }
      } else if (/^[&~-]$/.test(char) && this.#peek() === char) {
        left = combine();
        operation = char;
        union = new ClassUnion();
        this.#pos += 2;
      } else {
        union.add(this.#parseClassRange(), 0);
      }
    }
    this.#bump();
    const { set, depth } = combine();
    const folded = this.#fold(set);
    return { set: isNegated ? complement(folded) : folded, depth: depth + 1 };
  }

  #fold(set: ByteSet): ByteSet {
    return this.#flags.ignoreCase ? foldCase(set) : set;
  }

  #parsePosixClass(): ByteSet | undefined {
    const match = /^\[:(\^?)([a-z]+):\]/.exec(this.#text.slice(this.#pos, this.#pos + 12));
    const posix = match?.[2] === undefined ? undefined : POSIX_CLASSES.get(match[2]);
    if (match === null || posix === undefined) return undefined;
    this.#pos += match[0].length;
    return match[1] === '' ? posix : complement(posix);
  }

  #parseClassRange(): ByteSet {
    const first = this.#parsePrimitive();
    this.#bumpSpace();
    if (this.#char() === '') throw new PatternSyntaxError('unclosed class');
    if (this.#char() !== '-' || this.#peekSpace() === ']' || this.#peekSpace() === '-') {
      return first.kind === 'class' ? first.set : singleByte(classByte(first));
    }
    this.#mustBump();
    const low = classByte(first);
    const high = classByte(this.#parsePrimitive());
    if (low > high) throw new PatternSyntaxError('invalid range');
    return byteRange(low, high);
  }

  #peekSpace(): string {
    const next = this.#peek();
    return this.#flags.extended && next === '#' ? '' : next;
  }
}

/** The members of a class, one after the other. */
class ClassUnion {
  set = NO_BYTES;
  size = 0;
  #depth = 0;

  add(set: ByteSet, depth: number): void {
    this.set |= set;
    this.size += 1;
    this.#depth = Math.max(this.#depth, depth);
  }

  /** A union of several is a level of its own. */
  get depth(): number {
    return this.#depth + (this.size > 1 ? 1 : 0);
  }
}

function operate(operation: string, left: ByteSet, right: ByteSet): ByteSet {
  if (operation === '&') return left & right;
  return operation === '-' ? left & complement(right) : left ^ right;
}

/** Classes are of bytes: a character that is more than one cannot be in them. */
function classByte(primitive: Primitive): number {
  if (primitive.kind === 'byte') return primitive.byte;
  if (primitive.kind === 'char' && primitive.code <= 0x7f) return primitive.code;
  throw new PatternSyntaxError('no member of a class');
}

function concatenate(items: readonly Item[]): Item {
  if (items.length === 1 && items[0] !== undefined) return items[0];
  if (items.length === 0) return { node: NOTHING, depth: 0, isExpression: true };
  return { node: sequence(nodesOf(items)), depth: 1 + deepest(items), isExpression: true };
}

function nodesOf(items: readonly Item[]): PatternNode[] {
  return items.map((item) => item.node);
}

function deepest(items: readonly Item[]): number {
  return items.reduce((depth, item) => Math.max(depth, item.depth), 0);
}

function repeatLast(items: Item[], min: number, max: number): void {
  const item = items.pop();
  if (item === undefined || !item.isExpression) throw new PatternSyntaxError('nothing to repeat');
  items.push({ node: { type: 'repeat', node: item.node, min, max }, depth: item.depth + 1, isExpression: true });
}
