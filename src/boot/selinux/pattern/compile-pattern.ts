import type { PatternNode } from './pattern-node.js';
import { parseRustPattern } from './rust-syntax.js';

/**
 * The meaning of a pattern that is matched against the start of a subject.
 *
 * @throws PatternSyntaxError, UntranslatableError
 */
export function compilePattern(text: string): PatternNode {
  return parseRustPattern(text);
}
