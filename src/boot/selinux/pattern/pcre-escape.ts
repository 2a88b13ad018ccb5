/** Escapes of PCRE2 that mean one byte or a set of bytes, inside of classes and outside. */

import { type ByteSet, byteRange, bytesOf, complement, PERL_CLASSES, singleByte } from './byte-set.js';
import type { PatternScanner } from './pattern-scanner.js';
import { PatternSyntaxError, UntranslatableError } from './syntax-error.js';

const HORIZONTAL_SPACE = bytesOf('\t ') | singleByte(0xa0);
const VERTICAL_SPACE = byteRange(0x0a, 0x0d) | singleByte(0x85);

/** By letter. */
export const PCRE_CLASSES: Readonly<Record<string, ByteSet>> = {
  ...PERL_CLASSES,
  D: complement(PERL_CLASSES.d),
  S: complement(PERL_CLASSES.s),
  W: complement(PERL_CLASSES.w),
  h: HORIZONTAL_SPACE,
  H: complement(HORIZONTAL_SPACE),
  v: VERTICAL_SPACE,
  V: complement(VERTICAL_SPACE),
};

const CONTROL_ESCAPES: Readonly<Record<string, number>> = { a: 0x07, e: 0x1b, f: 0x0c, n: 0x0a, r: 0x0d, t: 0x09 };

const HEX = /\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{1,2})/y;
const OCTAL_BRACED = /\{([0-7]+)\}/y;
const OCTAL = /[0-7]{1,3}/y;

/**
 * The byte that an escape stands for, whose letter comes next; undefined, with the letter ahead, if it is none of a byte.
 *
 * @throws PatternSyntaxError
 */
export function takeByteEscape(scanner: PatternScanner): number | undefined {
  const letter = scanner.peek();
  if (!/[0-9A-Za-z]/.test(letter)) {
    if (letter === '') throw new PatternSyntaxError('\\ at the end');
    return scanner.take().charCodeAt(0);
  }
  const control = CONTROL_ESCAPES[letter];
  if (control !== undefined) {
    scanner.take();
    return control;
  }
  switch (letter) {
    case '0':
      return octalByte(scanner.takeMatch(OCTAL)?.[0]);
    case 'x': {
      scanner.take();
      const match = scanner.takeMatch(HEX);
      const digits = match?.[1] ?? match?.[2];
      if (digits === undefined) throw refuseHex(scanner);
      return checkByte(Number.parseInt(digits, 16));
    }
    case 'o':
      scanner.take();
      return octalByte(scanner.takeMatch(OCTAL_BRACED)?.[1]);
    case 'c': {
      scanner.take();
      const char = scanner.take();
      if (!/^[ -~]$/.test(char)) throw new PatternSyntaxError('invalid \\c');
      return char.toUpperCase().charCodeAt(0) ^ 0x40;
    }
  }
  return undefined;
}

/** Octal digits behind a backslash, in a class. */
export function takeOctalEscape(scanner: PatternScanner): number {
  return octalByte(scanner.takeMatch(OCTAL)?.[0]);
}

/** What an escape means that is none of a byte or class. */
export function refuseEscape(letter: string): Error {
  if (/[1-9CKRXgkpP]/.test(letter)) return new UntranslatableError(`\\${letter}`);
  return new PatternSyntaxError(`unknown escape \\${letter}`);
}

function refuseHex(scanner: PatternScanner): Error {
  if (scanner.peek() === '{') return new PatternSyntaxError('invalid \\x{}');
  return new UntranslatableError('\\x without digits, of which versions of PCRE2 make different things');
}

function octalByte(digits: string | undefined): number {
  if (digits === undefined) throw new PatternSyntaxError('invalid octal escape');
  return checkByte(Number.parseInt(digits, 8));
}

function checkByte(value: number): number {
  if (value > 0xff) throw new PatternSyntaxError('an escape for more than a byte');
  return value;
}
