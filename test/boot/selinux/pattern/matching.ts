import { compilePattern } from '../../../../src/boot/selinux/pattern/compile-pattern.js';
import type { PatternNode } from '../../../../src/boot/selinux/pattern/pattern-node.js';
import { PatternSet } from '../../../../src/boot/selinux/pattern/pattern-set.js';
import type { ByteString } from '../../../../src/bytes/byte-string.js';

/** Those of the subjects (one char a byte) that a pattern matches as a whole. */
export function matched(pattern: string, subjects: readonly string[]): string[] {
  const set = new PatternSet([compilePattern(`^(?:${pattern})$`)]);
  return subjects.filter((subject) => lastMatch(set, subject) === 0);
}

export function lastMatch(set: PatternSet, subject: string): number | undefined {
  return set.lastMatch(set.extend(set.empty, subject as ByteString));
}

/** Whether a node matches a subject, or a beginning of it. */
export function matchesStart(node: PatternNode, subject: string): boolean {
  return lastMatch(new PatternSet([node]), subject) === 0;
}
