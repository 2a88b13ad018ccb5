/** What one character or escape of regex-syntax stands for. */

import { type ByteSet, complement, PERL_CLASSES } from './byte-set.js';
import type { Assertion } from './pattern-node.js';
import type { RustScanner } from './rust-scanner.js';
import { PatternSyntaxError } from './syntax-error.js';

/** A character, a byte that is none, a class, or a condition. */
export type Primitive =
  | { readonly kind: 'char'; readonly code: number }
  | { readonly kind: 'byte'; readonly byte: number }
  | { readonly kind: 'class'; readonly set: ByteSet }
  | { readonly kind: 'assertion'; readonly assertion: Assertion };

const CONTROL_ESCAPES: Readonly<Record<string, number>> = { a: 0x07, f: 0x0c, t: 0x09, n: 0x0a, r: 0x0d, v: 0x0b };

const CLASS_ESCAPES: Readonly<Record<string, ByteSet>> = {
  ...PERL_CLASSES,
  D: complement(PERL_CLASSES.d),
  S: complement(PERL_CLASSES.s),
  W: complement(PERL_CLASSES.w),
};

const ASSERTION_ESCAPES: Readonly<Record<string, Assertion>> = {
  A: 'start',
  z: 'end',
  b: 'word-boundary',
  B: 'no-word-boundary',
  '<': 'word-start',
  '>': 'word-end',
};

const WORD_BOUNDARIES: Readonly<Record<string, Assertion>> = {
  start: 'word-start',
  end: 'word-end',
  'start-half': 'word-start-half',
  'end-half': 'word-end-half',
};

const HEX_LENGTHS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/** Not only of the assertions that there are. */
const WORD_BOUNDARY_NAME = /\{[A-Za-z-]/y;

/** @throws PatternSyntaxError */
export function takePrimitive(scanner: RustScanner): Primitive {
  const { char } = scanner;
  scanner.bump();
  return char === '\\' ? takeEscape(scanner) : { kind: 'char', code: codeOf(char) };
}

function takeEscape(scanner: RustScanner): Primitive {
  const { char } = scanner;
  const hexLength = HEX_LENGTHS[char];
  if (hexLength !== undefined) return takeHex(scanner, hexLength);
  scanner.bump();
  const set = CLASS_ESCAPES[char];
  if (set !== undefined) return { kind: 'class', set };
  const control = CONTROL_ESCAPES[char];
  if (control !== undefined) return { kind: 'char', code: control };
  if (char === 'b' && scanner.looksAt(WORD_BOUNDARY_NAME)) return takeWordBoundary(scanner);
  const assertion = ASSERTION_ESCAPES[char];
  if (assertion !== undefined) return { kind: 'assertion', assertion };
  // Back references, Unicode classes, and what has no meaning are refused; so is all that is not ASCII.
  if (!/^[\0-\x7f]$/.test(char) || /[0-9A-Za-z]/.test(char)) throw new PatternSyntaxError('unknown escape');
  return { kind: 'char', code: codeOf(char) };
}

/** At the brace behind `\b`. */
function takeWordBoundary(scanner: RustScanner): Primitive {
  let name = '';
  for (scanner.mustBump(); /^[A-Za-z-]$/.test(scanner.char); scanner.bumpSpace()) name += scanner.char;
  const assertion = Object.hasOwn(WORD_BOUNDARIES, name) ? WORD_BOUNDARIES[name] : undefined;
  if (assertion === undefined || !scanner.bumpIf('}')) throw new PatternSyntaxError('unknown word boundary');
  return { kind: 'assertion', assertion };
}

/** At the letter behind the backslash. Only `\xHH` can be a byte that is no character. */
function takeHex(scanner: RustScanner, length: number): Primitive {
  scanner.mustBump();
  const isBraced = scanner.bumpIf('{');
  let digits = '';
  if (isBraced) {
    for (; scanner.char !== '}'; scanner.mustBump()) digits += scanner.char;
  } else {
    for (digits = scanner.char; digits.length < length; digits += scanner.char) scanner.mustBump();
  }
  scanner.bumpSpace();
  const code = /^[0-9A-Fa-f]+$/.test(digits) ? Number.parseInt(digits, 16) : Number.NaN;
  if (!(code <= 0x10ffff) || (code >= 0xd800 && code <= 0xdfff)) {
    throw new PatternSyntaxError('invalid hexadecimal escape');
  }
  return !isBraced && length === 2 && code > 0x7f ? { kind: 'byte', byte: code } : { kind: 'char', code };
}

/** Nothing but the end has none. */
function codeOf(char: string): number {
  const code = char.codePointAt(0);
  if (code === undefined) throw new PatternSyntaxError('unexpected end');
  return code;
}
