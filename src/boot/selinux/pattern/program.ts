/** Patterns as one nondeterministic automaton over bytes, after Thompson. */

import { ComposefsError } from '../../../errors.js';
import { type ByteSet, rangesOf, singleByte } from './byte-set.js';
import type { Assertion, Lookaround, PatternNode } from './pattern-node.js';

/** Takes a byte of the set `argument`, and goes to `next`. */
export const OP_SET = 0;
/** Goes to `next` and to `argument`, without a byte. */
export const OP_SPLIT = 1;
/** Goes to `next` if the assertion, of {@link ASSERTIONS}, holds. */
export const OP_ASSERT = 2;
/** Goes to `next` if the lookaround `argument` holds. */
export const OP_LOOK = 3;
/** The pattern `argument` matches. */
export const OP_MATCH = 4;
/** Goes to all states of the branch `argument`, without a byte. */
export const OP_BRANCH = 5;

export const ASSERTIONS: readonly Assertion[] = [
  'start',
  'end',
  'line-start',
  'line-end',
  'crlf-line-start',
  'crlf-line-end',
  'word-boundary',
  'no-word-boundary',
  'word-start',
  'word-end',
  'word-start-half',
  'word-end-half',
];

/** States of one automaton. Real policies need 0.2 million; each costs 12 bytes. */
const STATES_MAX = 4_000_000;

/** An automaton. States are numbers. */
export interface Program {
  readonly ops: Uint8Array;
  readonly next: Int32Array;
  readonly argument: Int32Array;
  readonly branches: readonly (readonly number[])[];
  readonly lookarounds: readonly CompiledLookaround[];
  /** The class of each byte: bytes of one class are in the same sets. */
  readonly byteClasses: Uint8Array;
  readonly classCount: number;
  /** `members[set * classCount + class]` is 1 if the class is in the set. */
  readonly members: Uint8Array;
}

/** A {@link Lookaround} whose node begins at the state `start` and ends in {@link OP_MATCH}. */
export interface CompiledLookaround extends Pick<Lookaround, 'negative' | 'behind'> {
  readonly start: number;
}

/** A literal prefix that several patterns share. */
export interface PrefixNode {
  /** The state, a branch, and what it leads to. */
  readonly state: number;
  readonly targets: number[];
}

/** Makes a {@link Program} of patterns, one after the other. */
export class ProgramBuilder {
  #ops = new Uint8Array(1024);
  #next = new Int32Array(1024);
  #argument = new Int32Array(1024);
  #size = 0;
  readonly #branches: number[][] = [];
  readonly #lookarounds: CompiledLookaround[] = [];
  /** By the state of a prefix times 256, plus the byte that follows. */
  readonly #longerPrefixes = new Map<number, PrefixNode>();
  readonly #sets = new Map<ByteSet, number>();
  readonly #byteSets = new Array<number | undefined>(256);

  /** A state at which patterns can begin that share their literal prefixes. */
  newPrefix(): PrefixNode {
    const targets: number[] = [];
    this.#branches.push(targets);
    return { state: this.#add(OP_BRANCH, 0, this.#branches.length - 1), targets };
  }

  /**
   * Adds a pattern that begins at a prefix. {@link OP_MATCH} with `pattern` is where it ends.
   *
   * @throws ComposefsError `SELINUX_POLICY_TOO_LARGE`
   */
  addPattern(start: PrefixNode, node: PatternNode, pattern: number): void {
    const rest = [node];
    let prefix = start;
    for (;;) {
      const first = rest[0];
      if (first?.type === 'sequence') rest.splice(0, 1, ...first.parts);
      // At the very start `^` holds; no pattern is tried anywhere else.
      else if (prefix === start && first?.type === 'assertion' && first.assertion === 'start') rest.shift();
      else if (first?.type === 'bytes') {
        prefix = this.#extendPrefix(prefix, first.bytes);
        rest.shift();
      } else break;
    }
    prefix.targets.push(this.#sequence(rest, this.#add(OP_MATCH, 0, pattern)));
  }

  /** The first state of a node that ends in {@link OP_MATCH} with `pattern`. Errors as {@link addPattern}. */
  addNode(node: PatternNode, pattern: number): number {
    return this.#compile(node, this.#add(OP_MATCH, 0, pattern));
  }

  finish(): Program {
    const sets = [...this.#sets.keys()];
    const { byteClasses, classCount, representatives } = classesOf(sets);
    const members = new Uint8Array(sets.length * classCount);
    for (const [index, set] of sets.entries()) {
      for (const [low, high] of rangesOf(set)) {
        for (let byteClass = byteClasses[low] ?? 0; byteClass < classCount; byteClass++) {
          if ((representatives[byteClass] ?? 256) > high) break;
          members[index * classCount + byteClass] = 1;
        }
      }
    }
    return {
      ops: this.#ops.slice(0, this.#size),
      next: this.#next.slice(0, this.#size),
      argument: this.#argument.slice(0, this.#size),
      branches: this.#branches,
      lookarounds: this.#lookarounds,
      byteClasses,
      classCount,
      members,
    };
  }

  #extendPrefix(start: PrefixNode, bytes: string): PrefixNode {
    let prefix = start;
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes.charCodeAt(i);
      const key = prefix.state * 256 + byte;
      let child = this.#longerPrefixes.get(key);
      if (child === undefined) {
        child = this.newPrefix();
        prefix.targets.push(this.#add(OP_SET, child.state, this.#byteSet(byte)));
        this.#longerPrefixes.set(key, child);
      }
      prefix = child;
    }
    return prefix;
  }

  /** From the end to the beginning: the first state of what leads to `next`. */
  #compile(node: PatternNode, next: number): number {
    switch (node.type) {
      case 'bytes': {
        let state = next;
        for (let i = node.bytes.length - 1; i >= 0; i--) {
          state = this.#add(OP_SET, state, this.#byteSet(node.bytes.charCodeAt(i)));
        }
        return state;
      }
      case 'set':
        return this.#add(OP_SET, next, this.#set(node.set));
      case 'sequence':
        return this.#sequence(node.parts, next);
      case 'alternatives':
        this.#branches.push(node.options.map((option) => this.#compile(option, next)));
        return this.#add(OP_BRANCH, 0, this.#branches.length - 1);
      case 'repeat':
        return this.#repeat(node.node, node.min, node.max, next);
      case 'assertion':
        return this.#add(OP_ASSERT, next, ASSERTIONS.indexOf(node.assertion));
      case 'lookaround': {
        const { negative, behind } = node;
        this.#lookarounds.push({ start: this.addNode(node.node, 0), negative, behind });
        return this.#add(OP_LOOK, next, this.#lookarounds.length - 1);
      }
    }
  }

  #sequence(parts: readonly PatternNode[], next: number): number {
    return parts.reduceRight((state, part) => this.#compile(part, state), next);
  }

  #repeat(node: PatternNode, min: number, max: number, next: number): number {
    let state = next;
    let copies = min;
    if (max === Number.POSITIVE_INFINITY) {
      const again = this.#add(OP_SPLIT, next, next);
      const body = this.#compile(node, again);
      this.#argument[again] = body;
      // The body that is repeated is the last copy of those that must be there.
      state = min === 0 ? again : body;
      copies -= 1;
    } else {
      for (let i = min; i < max; i++) {
        const end = state;
        state = this.#add(OP_SPLIT, next, this.#compile(node, end));
        // What adds no state is the same however often it is repeated.
        if (this.#argument[state] === end) break;
      }
    }
    for (let i = 0; i < copies; i++) {
      const end = state;
      state = this.#compile(node, end);
      if (state === end) break;
    }
    return state;
  }

  #byteSet(byte: number): number {
    this.#byteSets[byte] ??= this.#set(singleByte(byte));
    return this.#byteSets[byte];
  }

  #set(set: ByteSet): number {
    let index = this.#sets.get(set);
    if (index === undefined) {
      index = this.#sets.size;
      this.#sets.set(set, index);
    }
    return index;
  }

  #add(op: number, next: number, argument: number): number {
    const state = this.#size;
    if (state >= STATES_MAX) {
      throw new ComposefsError('SELINUX_POLICY_TOO_LARGE', 'the patterns are too large', {
        hint: `All patterns together may have ${STATES_MAX} characters; what is repeated counts as often as it is.`,
      });
    }
    if (state === this.#ops.length) this.#grow();
    this.#ops[state] = op;
    this.#next[state] = next;
    this.#argument[state] = argument;
    this.#size += 1;
    return state;
  }

  #grow(): void {
    const capacity = this.#ops.length * 2;
    const grow = <T extends Uint8Array | Int32Array>(larger: T, smaller: T): T => {
      larger.set(smaller);
      return larger;
    };
    this.#ops = grow(new Uint8Array(capacity), this.#ops);
    this.#next = grow(new Int32Array(capacity), this.#next);
    this.#argument = grow(new Int32Array(capacity), this.#argument);
  }
}

/** The classes are the ranges between all bounds of the sets' ranges. */
function classesOf(sets: readonly ByteSet[]): {
  byteClasses: Uint8Array;
  classCount: number;
  /** The first byte of each class. */
  representatives: number[];
} {
  const isFirst = new Uint8Array(257);
  for (const set of sets) {
    for (const [low, high] of rangesOf(set)) {
      isFirst[low] = 1;
      isFirst[high + 1] = 1;
    }
  }
  const byteClasses = new Uint8Array(256);
  const representatives = [0];
  for (let byte = 1; byte < 256; byte++) {
    if (isFirst[byte] === 1) representatives.push(byte);
    byteClasses[byte] = representatives.length - 1;
  }
  return { byteClasses, classCount: representatives.length, representatives };
}
