/** What a pattern says, whichever dialect it is written in (spec 50 §3.8). */

import type { ByteString } from '../../../bytes/byte-string.js';
import { type ByteSet, foldCase, singleByte } from './byte-set.js';

/**
 * Conditions on a position, by what is before and behind it. `line` ones know line feeds, `crlf` ones also carriage
 * returns; words are of ASCII letters, digits and `_`.
 */
export type Assertion =
  | 'start'
  | 'end'
  | 'line-start'
  | 'line-end'
  | 'crlf-line-start'
  | 'crlf-line-end'
  | 'word-boundary'
  | 'no-word-boundary'
  | 'word-start'
  | 'word-end'
  | 'word-start-half'
  | 'word-end-half';

/** A lookahead or lookbehind. One that looks behind has bounds for the bytes that it takes. */
export interface Lookaround {
  readonly type: 'lookaround';
  readonly node: PatternNode;
  readonly negative: boolean;
  /** Undefined: it looks ahead. */
  readonly behind: { readonly min: number; readonly max: number } | undefined;
}

/**
 * A regular expression over bytes, as a tree. Whether something matches is all that is asked, so there are neither
 * captures nor greed.
 */
export type PatternNode =
  | { readonly type: 'bytes'; readonly bytes: ByteString }
  | { readonly type: 'set'; readonly set: ByteSet }
  | { readonly type: 'sequence'; readonly parts: readonly PatternNode[] }
  | { readonly type: 'alternatives'; readonly options: readonly PatternNode[] }
  | { readonly type: 'repeat'; readonly node: PatternNode; readonly min: number; readonly max: number }
  | { readonly type: 'assertion'; readonly assertion: Assertion }
  | Lookaround;

export const NOTHING: PatternNode = { type: 'sequence', parts: [] };

/** Some literal bytes; of ASCII letters both cases where `ignoreCase`. */
export function literal(bytes: ByteString, ignoreCase: boolean): PatternNode {
  if (!ignoreCase || !/[A-Za-z]/.test(bytes)) return { type: 'bytes', bytes };
  const parts = Array.from(bytes, (_, i) => ({
    type: 'set' as const,
    set: foldCase(singleByte(bytes.charCodeAt(i))),
  }));
  return sequence(parts);
}

/** One after the other; neighbouring literals become one. */
export function sequence(parts: readonly PatternNode[]): PatternNode {
  const merged: PatternNode[] = [];
  let pending: string[] = [];
  const flush = () => {
    if (pending.length > 0) merged.push({ type: 'bytes', bytes: pending.join('') as ByteString });
    pending = [];
  };
  for (const part of parts) {
    if (part.type === 'bytes') {
      pending.push(part.bytes);
      continue;
    }
    flush();
    merged.push(part);
  }
  flush();
  return merged.length === 1 && merged[0] !== undefined ? merged[0] : { type: 'sequence', parts: merged };
}

export function alternatives(options: readonly PatternNode[]): PatternNode {
  return options.length === 1 && options[0] !== undefined ? options[0] : { type: 'alternatives', options };
}

/** How many bytes something takes. */
export interface Width {
  readonly min: number;
  /** Infinite, if nothing bounds it. */
  readonly max: number;
}

export function widthOf(node: PatternNode): Width {
  switch (node.type) {
    case 'bytes':
      return { min: node.bytes.length, max: node.bytes.length };
    case 'set':
      return { min: 1, max: 1 };
    case 'assertion':
    case 'lookaround':
      return { min: 0, max: 0 };
    case 'sequence':
      return node.parts.map(widthOf).reduce((a, b) => ({ min: a.min + b.min, max: a.max + b.max }), { min: 0, max: 0 });
    case 'alternatives':
      return node.options.map(widthOf).reduce((a, b) => ({ min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) }));
    case 'repeat': {
      const { min, max } = widthOf(node.node);
      // Zero times infinity is nothing.
      return { min: min * node.min, max: max === 0 ? 0 : max * node.max };
    }
  }
}
