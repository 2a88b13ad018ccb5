import { ComposefsError } from '../errors.js';

/** Spec 10 §3: the three ways in which text fails to be hex of the wanted length. */
export type HexErrorKind = 'odd-length' | 'invalid-string-length' | 'invalid-hex-character';

export class HexParseError extends ComposefsError {
  readonly kind: HexErrorKind;
  /** Position of the invalid character; -1 for length errors. */
  readonly index: number;

  constructor(kind: HexErrorKind, message: string, index = -1) {
    super('INVALID_HEX', message);
    this.kind = kind;
    this.index = index;
  }
}

export function oddLength(): HexParseError {
  return new HexParseError('odd-length', 'Odd number of digits');
}

export function invalidStringLength(): HexParseError {
  return new HexParseError('invalid-string-length', 'Invalid string length');
}

export function invalidHexCharacter(character: string, index: number): HexParseError {
  return new HexParseError('invalid-hex-character', `Invalid character '${character}' at position ${index}`, index);
}

/**
 * Checks that every character is a hex digit and returns the text in lower case.
 *
 * @throws HexParseError naming the first other character and its index.
 */
export function normalizeHex(text: string): string {
  const match = /[^0-9a-fA-F]/.exec(text);
  if (match !== null) throw invalidHexCharacter(match[0], match.index);
  return text.toLowerCase();
}
