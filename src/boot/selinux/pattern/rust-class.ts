/** Classes in brackets, of regex-syntax: there may be others in them, and operations on them: `&&`, `--`, `~~`. */

import { type ByteSet, byteRange, complement, foldCase, NO_BYTES, POSIX_CLASSES, singleByte } from './byte-set.js';
import { type Primitive, takePrimitive } from './rust-escape.js';
import type { RustScanner } from './rust-scanner.js';
import { PatternSyntaxError } from './syntax-error.js';

/** A class, with what regex-syntax counts as its depth. */
export interface ClassItem {
  readonly set: ByteSet;
  readonly depth: number;
}

const POSIX_CLASS = new RegExp(`\\[:(\\^?)(${[...POSIX_CLASSES.keys()].join('|')}):\\]`, 'y');
const OPERATION = /&&|--|~~/y;

/**
 * Goes past a class, at its `[`.
 *
 * @param levelsLeft how many others may be in one another in it.
 * @throws PatternSyntaxError
 */
export function takeRustClass(scanner: RustScanner, ignoreCase: boolean, levelsLeft: number): ClassItem {
  if (levelsLeft < 0) throw new PatternSyntaxError('nested too deeply');
  const fold = (set: ByteSet) => (ignoreCase ? foldCase(set) : set);
  scanner.mustBump();
  const isNegated = scanner.char === '^';
  if (isNegated) scanner.mustBump();
  let union = new ClassUnion();
  for (; scanner.char === '-'; scanner.mustBump()) union.add(singleByte(0x2d));
  if (union.size === 0 && scanner.char === ']') {
    union.add(singleByte(0x5d));
    scanner.mustBump();
  }
  let left: ClassItem | undefined;
  let operation: string | undefined;
  for (;;) {
    scanner.skipComment();
    if (scanner.isAtEnd) throw new PatternSyntaxError('unclosed class');
    const nextOperation = scanner.bumpMatch(OPERATION)?.[0];
    if (nextOperation !== undefined || scanner.char === ']') {
      const right = { set: fold(union.set), depth: union.depth };
      left = left === undefined ? right : operate(operation, left, right);
      operation = nextOperation;
      union = new ClassUnion();
      if (nextOperation === undefined) break;
    } else if (scanner.char === '[') {
      const posix = takePosixClass(scanner);
      if (posix !== undefined) {
        union.add(posix);
      } else {
        const { set, depth } = takeRustClass(scanner, ignoreCase, levelsLeft - 1);
        union.add(set, depth);
      }
    } else {
      union.add(takeRange(scanner));
    }
  }
  scanner.bump();
  return { set: isNegated ? complement(left.set) : left.set, depth: left.depth + 1 };
}

/** The members of a class, one after the other. */
class ClassUnion {
  set = NO_BYTES;
  size = 0;
  #depth = 0;

  add(set: ByteSet, depth = 0): void {
    this.set |= set;
    this.size += 1;
    this.#depth = Math.max(this.#depth, depth);
  }

  /** A union of several is a level of its own. */
  get depth(): number {
    return this.#depth + (this.size > 1 ? 1 : 0);
  }
}

function operate(operation: string | undefined, left: ClassItem, right: ClassItem): ClassItem {
  const depth = 1 + Math.max(left.depth, right.depth);
  if (operation === '&&') return { set: left.set & right.set, depth };
  if (operation === '--') return { set: left.set & complement(right.set), depth };
  return { set: left.set ^ right.set, depth };
}

/** Undefined if it is a class of its own, whatever it looks like. */
function takePosixClass(scanner: RustScanner): ByteSet | undefined {
  const match = scanner.bumpMatch(POSIX_CLASS);
  const set = match?.[2] === undefined ? undefined : POSIX_CLASSES.get(match[2]);
  return set !== undefined && match?.[1] === '^' ? complement(set) : set;
}

function takeRange(scanner: RustScanner): ByteSet {
  const first = takePrimitive(scanner);
  scanner.skipComment();
  if (scanner.isAtEnd) throw new PatternSyntaxError('unclosed class');
  if (scanner.char !== '-' || scanner.nextBehindComment === ']' || scanner.nextBehindComment === '-') {
    return first.kind === 'class' ? first.set : singleByte(byteOf(first));
  }
  scanner.mustBump();
  const low = byteOf(first);
  const high = byteOf(takePrimitive(scanner));
  if (low > high) throw new PatternSyntaxError('invalid range');
  return byteRange(low, high);
}

/** Classes are of bytes: a character that is more than one cannot be in them. */
function byteOf(primitive: Primitive): number {
  if (primitive.kind === 'byte') return primitive.byte;
  if (primitive.kind === 'char' && primitive.code <= 0x7f) return primitive.code;
  throw new PatternSyntaxError('no member of a class');
}
