import { ALL_BYTES } from './byte-set.js';
import { type PatternNode, sequence } from './pattern-node.js';
import { parsePcrePattern } from './pcre-syntax.js';
import { parseRustPattern } from './rust-syntax.js';
import { PatternSyntaxError } from './syntax-error.js';

const ANYTHING: PatternNode = {
  type: 'repeat',
  node: { type: 'set', set: ALL_BYTES },
  min: 0,
  max: Number.POSITIVE_INFINITY,
};

/**
 * The meaning of a pattern that is matched from the start of a subject. The reference tries it as a pattern of Rust at
 * that place, and if it is none, looks for it with PCRE2 at every place.
 *
 * @throws PatternSyntaxError, UntranslatableError
 */
export function compilePattern(text: string): PatternNode {
  try {
    return parseRustPattern(text);
  } catch (error) {
    if (!(error instanceof PatternSyntaxError)) throw error;
  }
  const node = parsePcrePattern(text);
  return beginsAtStart(node) ? node : sequence([ANYTHING, node]);
}

function beginsAtStart(node: PatternNode): boolean {
  const first = node.type === 'sequence' ? node.parts[0] : node;
  return first?.type === 'assertion' && first.assertion === 'start';
}
