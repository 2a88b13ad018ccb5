/** Patterns that look around, one at a time. */

import type { Assertion } from './pattern-node.js';
import {
  ASSERTIONS,
  type CompiledLookaround,
  OP_ASSERT,
  OP_BRANCH,
  OP_LOOK,
  OP_MATCH,
  OP_SET,
  OP_SPLIT,
  type Program,
} from './program.js';
import type { WorkBudget } from './work-budget.js';

/** A step here takes longer than one of the automaton for many patterns. */
const STEP_COST = 4;

/**
 * Runs a program with lookarounds and all assertions. What a lookaround finds at a position is remembered, so that the
 * time is bounded by the lengths of pattern and subject, whatever the pattern.
 */
export class Simulation {
  readonly #program: Program;
  readonly #budget: WorkBudget;

  constructor(program: Program, budget: WorkBudget) {
    this.#program = program;
    this.#budget = budget;
  }

  /** Whether the pattern that begins at the state matches a beginning of the subject (one char a byte). */
  matches(start: number, subject: string): boolean {
    const run = new SubjectRun(this.#program, this.#budget, subject);
    return run.reaches(start, 0, undefined);
  }
}

class SubjectRun {
  readonly #program: Program;
  readonly #budget: WorkBudget;
  readonly #subject: string;
  /** By lookaround and position. */
  readonly #looked = new Map<number, boolean>();

  constructor(program: Program, budget: WorkBudget, subject: string) {
    this.#program = program;
    this.#budget = budget;
    this.#subject = subject;
  }

  /** Whether a match leads from a position to the one `to`, or if that is undefined to any. */
  reaches(start: number, from: number, to: number | undefined): boolean {
    const { ops, next, argument, members, classCount, byteClasses } = this.#program;
    const last = to ?? this.#subject.length;
    let states = [start];
    for (let position = from; ; position++) {
      const found = this.#follow(states, position);
      if ((to === undefined || position === to) && found.some((state) => ops[state] === OP_MATCH)) return true;
      if (position === last || found.length === 0) return false;
      const byteClass = byteClasses[this.#subject.charCodeAt(position)] ?? 0;
      states = [];
      for (const state of found) {
        if (ops[state] === OP_SET && members[(argument[state] ?? 0) * classCount + byteClass] === 1) {
          states.push(next[state] ?? 0);
        }
      }
    }
  }

  /** The states that take a byte or match, of those to which some lead at a position without a byte. */
  #follow(states: readonly number[], position: number): number[] {
    const { ops, next, argument, branches, lookarounds } = this.#program;
    const seen = new Set<number>();
    const found: number[] = [];
    const pending = [...states];
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      if (seen.has(at)) continue;
      seen.add(at);
      const operand = argument[at] ?? 0;
      switch (ops[at]) {
        case OP_SPLIT:
          pending.push(operand, next[at] ?? 0);
          break;
        case OP_BRANCH:
          for (const target of branches[operand] ?? []) pending.push(target);
          break;
        case OP_ASSERT: {
          const assertion = ASSERTIONS[operand];
          if (assertion !== undefined && holds(assertion, this.#subject, position)) pending.push(next[at] ?? 0);
          break;
        }
        case OP_LOOK: {
          const lookaround = lookarounds[operand];
          if (lookaround !== undefined && this.#look(lookaround, operand, position)) pending.push(next[at] ?? 0);
          break;
        }
        default:
          found.push(at);
      }
    }
    this.#budget.spend(seen.size * STEP_COST);
    return found;
  }

  #look(lookaround: CompiledLookaround, index: number, position: number): boolean {
    const key = index * (this.#subject.length + 1) + position;
    let result = this.#looked.get(key);
    if (result === undefined) {
      result = this.#finds(lookaround, position) !== lookaround.negative;
      this.#looked.set(key, result);
    }
    return result;
  }

  #finds({ start, behind }: CompiledLookaround, position: number): boolean {
    if (behind === undefined) return this.reaches(start, position, undefined);
    for (let length = behind.min; length <= behind.max && length <= position; length++) {
      if (this.reaches(start, position - length, position)) return true;
    }
    return false;
  }
}

function holds(assertion: Assertion, subject: string, position: number): boolean {
  const before = subject[position - 1];
  const behind = subject[position];
  const wordBefore = isWord(before);
  const wordBehind = isWord(behind);
  switch (assertion) {
    case 'start':
      return before === undefined;
    case 'end':
      return behind === undefined;
    case 'line-start':
      return before === undefined || before === '\n';
    case 'line-end':
      return behind === undefined || behind === '\n';
    case 'crlf-line-start':
      return before === undefined || before === '\n' || (before === '\r' && behind !== '\n');
    case 'crlf-line-end':
      return behind === undefined || behind === '\r' || (behind === '\n' && before !== '\r');
    case 'word-boundary':
      return wordBefore !== wordBehind;
    case 'no-word-boundary':
      return wordBefore === wordBehind;
    case 'word-start':
      return !wordBefore && wordBehind;
    case 'word-end':
      return wordBefore && !wordBehind;
    case 'word-start-half':
      return !wordBefore;
    case 'word-end-half':
      return !wordBehind;
  }
}

function isWord(char: string | undefined): boolean {
  return char !== undefined && /[0-9A-Za-z_]/.test(char);
}
