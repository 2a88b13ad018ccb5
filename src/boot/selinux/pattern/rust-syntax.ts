/**
 * The syntax of Rust's regex-syntax 0.8 without Unicode, as composefs-rs configures it: the dialect in which patterns of a
 * policy are read first (spec 50 §3.8, engine A). What is refused here is read as a pattern of PCRE2.
 */

import { byteStringFromText } from '../../../bytes/byte-string.js';
import { ALL_BYTES, bytesOf, complement, singleByte } from './byte-set.js';
import { type Assertion, alternatives, literal, NOTHING, type PatternNode, sequence } from './pattern-node.js';
import { takeRustClass } from './rust-class.js';
import { takePrimitive } from './rust-escape.js';
import { RustScanner } from './rust-scanner.js';
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

const LOOKAROUND = /\?<?[=!]/y;
const GROUP_NAME = /\?P?<([\p{Alphabetic}_][\p{Alphabetic}\p{N}_.[\]]*)>/uy;
/** One negation. */
const FLAG_GROUP = /\?([imsUuRx]*)(?:-([imsUuRx]+))?([:)])/y;
const DIGITS = /[0-9]/;

/** A node, with what regex-syntax counts as its depth. */
interface Item {
  readonly node: PatternNode;
  readonly depth: number;
  /** False for flags, after which no quantifier may come. */
  readonly isExpression: boolean;
}

/**
 * The meaning of a pattern, which is tried at the start of a subject.
 *
 * @throws PatternSyntaxError what regex-syntax refuses.
 * @throws UntranslatableError for `(?u)`, which asks for Unicode.
 */
export function parseRustPattern(text: string): PatternNode {
  return new RustParser(text).parse();
}

class RustParser {
  readonly #scanner: RustScanner;
  #flags = NO_FLAGS;
  readonly #groupNames = new Set<string>();

  constructor(text: string) {
    this.#scanner = new RustScanner(text);
  }

  parse(): PatternNode {
    const { node, depth } = this.#parseAlternatives(0);
    if (!this.#scanner.isAtEnd) throw new PatternSyntaxError('unopened group');
    if (depth > NESTING_MAX) throw new PatternSyntaxError('nested too deeply');
    return node;
  }

  #parseAlternatives(level: number): Item {
    // Every group is at least one level of depth.
    if (level > NESTING_MAX) throw new PatternSyntaxError('nested too deeply');
    const scanner = this.#scanner;
    const options: Item[] = [];
    do options.push(this.#parseSequence(level));
    while (scanner.bumpIf('|'));
    if (options.length === 1 && options[0] !== undefined) return options[0];
    return { node: alternatives(nodesOf(options)), depth: 1 + deepest(options), isExpression: true };
  }

  #parseSequence(level: number): Item {
    const scanner = this.#scanner;
    const items: Item[] = [];
    for (;;) {
      scanner.skipComment();
      if (scanner.isAtEnd || scanner.char === '|' || scanner.char === ')') break;
      this.#parseItem(items, level);
    }
    if (items.length === 1 && items[0] !== undefined) return items[0];
    const depth = items.length === 0 ? 0 : 1 + deepest(items);
    return { node: sequence(nodesOf(items)), depth, isExpression: true };
  }

  #parseItem(items: Item[], level: number): void {
    const scanner = this.#scanner;
    const { char } = scanner;
    const { ignoreCase, multiLine, dotAll, crlf } = this.#flags;
    const append = (node: PatternNode, depth = 0) => items.push({ node, depth, isExpression: true });
    switch (char) {
      case '(':
        items.push(this.#parseGroup(level));
        return;
      case '[': {
        const { set, depth } = takeRustClass(scanner, ignoreCase, NESTING_MAX);
        append({ type: 'set', set }, depth);
        return;
      }
      case '?':
      case '*':
      case '+':
        scanner.bump();
        scanner.bumpIf('?');
        repeatLast(items, char === '+' ? 1 : 0, char === '?' ? 1 : Number.POSITIVE_INFINITY);
        return;
      case '{':
        this.#parseCountedRepetition(items);
        return;
      case '.':
        scanner.bump();
        append({ type: 'set', set: dotAll ? ALL_BYTES : complement(crlf ? bytesOf('\r\n') : singleByte(0)) });
        return;
      case '^':
        scanner.bump();
        append(assertion(multiLine ? (crlf ? 'crlf-line-start' : 'line-start') : 'start'));
        return;
      case '$':
        scanner.bump();
        append(assertion(multiLine ? (crlf ? 'crlf-line-end' : 'line-end') : 'end'));
        return;
      default:
        append(this.#parsePrimitive());
    }
  }

  #parsePrimitive(): PatternNode {
    const primitive = takePrimitive(this.#scanner);
    switch (primitive.kind) {
      case 'char':
        return literal(byteStringFromText(String.fromCodePoint(primitive.code)), this.#flags.ignoreCase);
      case 'byte':
        return { type: 'set', set: singleByte(primitive.byte) };
      case 'class':
        return { type: 'set', set: primitive.set };
      case 'assertion':
        return assertion(primitive.assertion);
    }
  }

  /** A group, or flags for the rest of the group around. */
  #parseGroup(level: number): Item {
    const scanner = this.#scanner;
    const outerFlags = this.#flags;
    scanner.bumpSpace();
    if (scanner.looksAt(LOOKAROUND)) throw new PatternSyntaxError('lookaround');
    if (scanner.char === '?' && !this.#takeGroupName()) {
      const isGroup = this.#takeFlags();
      if (!isGroup) return { node: NOTHING, depth: 0, isExpression: false };
    }
    const { node, depth } = this.#parseAlternatives(level + 1);
    if (!scanner.bumpIf(')')) throw new PatternSyntaxError('unclosed group');
    this.#setFlags(outerFlags);
    return { node, depth: depth + 1, isExpression: true };
  }

  #takeGroupName(): boolean {
    const name = this.#scanner.bumpMatch(GROUP_NAME)?.[1];
    if (name === undefined) return false;
    if (this.#groupNames.has(name)) throw new PatternSyntaxError('duplicate group name');
    this.#groupNames.add(name);
    return true;
  }

  /** Returns whether they are those of a group that follows. */
  #takeFlags(): boolean {
    const [text, on = '', off = '', end] = this.#scanner.bumpMatch(FLAG_GROUP) ?? [];
    if (text === undefined || new Set(on + off).size < on.length + off.length || text === '?)') {
      throw new PatternSyntaxError('invalid flags');
    }
    if (on.includes('u')) throw new UntranslatableError('(?u), Unicode');
    const flags = { ...this.#flags };
    for (const name of on) {
      const flag = FLAG_NAMES[name];
      if (flag !== undefined) flags[flag] = true;
    }
    for (const name of off) {
      const flag = FLAG_NAMES[name];
      if (flag !== undefined) flags[flag] = false;
    }
    this.#setFlags(flags);
    return end === ':';
  }

  #setFlags(flags: Flags): void {
    this.#flags = flags;
    this.#scanner.isExtended = flags.extended;
  }

  #parseCountedRepetition(items: Item[]): void {
    const scanner = this.#scanner;
    scanner.mustBump();
    const min = this.#takeCount();
    let max = min;
    if (scanner.bumpIf(',')) max = scanner.char === '}' ? Number.POSITIVE_INFINITY : this.#takeCount();
    if (scanner.char !== '}') throw new PatternSyntaxError('unclosed counted repetition');
    scanner.bumpSpace();
    scanner.bumpIf('?');
    if (min > max) throw new PatternSyntaxError('invalid counted repetition');
    repeatLast(items, min, max);
  }

  #takeCount(): number {
    const scanner = this.#scanner;
    let digits = '';
    for (; DIGITS.test(scanner.char); scanner.bumpSpace()) digits += scanner.char;
    if (digits === '' || Number(digits) > COUNT_MAX) throw new PatternSyntaxError('invalid number');
    return Number(digits);
  }
}

function assertion(of: Assertion): PatternNode {
  return { type: 'assertion', assertion: of };
}

function nodesOf(items: readonly Item[]): PatternNode[] {
  return items.map((item) => item.node);
}

function deepest(items: readonly Item[]): number {
  return items.reduce((depth, item) => Math.max(depth, item.depth), 0);
}

/** What is repeated must be there, and no flags. */
function repeatLast(items: Item[], min: number, max: number): void {
  const item = items.pop();
  if (item === undefined || !item.isExpression) throw new PatternSyntaxError('nothing to repeat');
  items.push({ node: { type: 'repeat', node: item.node, min, max }, depth: item.depth + 1, isExpression: true });
}
