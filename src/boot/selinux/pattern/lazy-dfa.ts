/** Many patterns at once, as a deterministic automaton whose states are made when they are reached. */

import { ASSERTIONS, OP_ASSERT, OP_BRANCH, OP_MATCH, OP_SET, OP_SPLIT, type Program } from './program.js';
import type { WorkBudget } from './work-budget.js';

const ASSERT_START = ASSERTIONS.indexOf('start');
const ASSERT_END = ASSERTIONS.indexOf('end');

/** About 64 MiB. */
const MEMORY_MAX = 8_000_000;

/** Where some bytes lead: the states of the program in which it can be behind them. */
export interface DfaState {
  readonly states: Int32Array;
  /** By the class of the next byte. */
  next: (DfaState | undefined)[];
  /** In which era of the automaton `next` was begun. */
  era: number;
  /** Undefined before it was asked for. */
  candidates: readonly number[] | undefined;
}

/**
 * Runs a program whose only assertions are `start` and `end`. However patterns are written, a byte costs no more than
 * one look at each state of the program, and a byte that was seen in a state before costs one look at a table.
 */
export class LazyDfa {
  readonly start: DfaState;
  readonly #program: Program;
  readonly #isConditional: (pattern: number) => boolean;
  readonly #budget: WorkBudget;
  readonly #memoryMax: number;
  #known = new Map<number, DfaState[]>();
  #memory = 0;
  #era = 0;
  /** In which round a state of the program was seen last. */
  readonly #seen: Uint32Array;
  #round = 0;
  readonly #found: Int32Array;
  readonly #pending: number[] = [];

  /**
   * @param start the state of the program in which it begins.
   * @param isConditional whether more than the program says has to hold for a pattern to match.
   * @param memoryMax what states that are remembered may take together, in elements of arrays.
   */
  constructor(
    program: Program,
    start: number,
    isConditional: (pattern: number) => boolean,
    budget: WorkBudget,
    memoryMax: number = MEMORY_MAX,
  ) {
    this.#program = program;
    this.#memoryMax = memoryMax;
    this.#isConditional = isConditional;
    this.#budget = budget;
    this.#seen = new Uint32Array(program.ops.length);
    this.#found = new Int32Array(program.ops.length);
    this.#round += 1;
    this.start = this.#intern(this.#follow(start, 0, true, false));
  }

  /** @param bytes one char a byte. */
  run(from: DfaState, bytes: string): DfaState {
    const { byteClasses } = this.#program;
    if (from.era !== this.#era) {
      from.era = this.#era;
      from.next = [];
    }
    let state = from;
    for (let i = 0; i < bytes.length; i++) {
      if (state.states.length === 0) return state;
      const byteClass = byteClasses[bytes.charCodeAt(i)] ?? 0;
      state = state.next[byteClass] ?? this.#step(state, byteClass);
    }
    return state;
  }

  /**
   * The patterns that match what has led to the state, or a beginning of it: the highest first, and nothing below the
   * highest that is not conditional.
   */
  candidates(state: DfaState): readonly number[] {
    state.candidates ??= this.#findCandidates(state);
    return state.candidates;
  }

  #step(state: DfaState, byteClass: number): DfaState {
    const { ops, next, argument, members, classCount } = this.#program;
    this.#budget.spend(state.states.length);
    this.#round += 1;
    let count = 0;
    for (const from of state.states) {
      if (ops[from] === OP_SET) {
        if (members[(argument[from] ?? 0) * classCount + byteClass] === 1) {
          count = this.#follow(next[from] ?? 0, count, false, false);
        }
      } else if (ops[from] === OP_MATCH) {
        // What matches a beginning has matched.
        count = this.#follow(from, count, false, false);
      }
    }
    const reached = this.#intern(count);
    state.next[byteClass] = reached;
    return reached;
  }

  #findCandidates(state: DfaState): number[] {
    const { ops, next, argument } = this.#program;
    this.#round += 1;
    const atStart = state === this.start;
    let count = 0;
    for (const from of state.states) {
      if (ops[from] === OP_ASSERT) count = this.#follow(next[from] ?? 0, count, atStart, true);
      else if (ops[from] === OP_MATCH) count = this.#follow(from, count, atStart, true);
    }
    const conditional: number[] = [];
    let certain: number | undefined;
    for (const found of this.#found.subarray(0, count)) {
      const pattern = argument[found] ?? 0;
      if (ops[found] !== OP_MATCH) continue;
      if (this.#isConditional(pattern)) conditional.push(pattern);
      else if (certain === undefined || certain < pattern) certain = pattern;
    }
    const candidates = conditional.filter((pattern) => certain === undefined || pattern > certain);
    candidates.sort((a, b) => b - a);
    if (certain !== undefined) candidates.push(certain);
    this.#remember(candidates.length);
    return candidates;
  }

  /**
   * Adds the states to which one leads without a byte, to those that were found in this round. Of `end` it is not known
   * before the end whether it holds, so it stays a state.
   */
  #follow(state: number, found: number, atStart: boolean, atEnd: boolean): number {
    const { ops, next, argument, branches } = this.#program;
    const pending = this.#pending;
    let count = found;
    let visited = 0;
    pending.push(state);
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      if (this.#seen[at] === this.#round) continue;
      this.#seen[at] = this.#round;
      visited += 1;
      switch (ops[at]) {
        case OP_SPLIT:
          pending.push(argument[at] ?? 0, next[at] ?? 0);
          break;
        case OP_BRANCH:
          for (const target of branches[argument[at] ?? 0] ?? []) pending.push(target);
          break;
        case OP_ASSERT:
          if (argument[at] === ASSERT_START ? atStart : atEnd) {
            pending.push(next[at] ?? 0);
          } else if (argument[at] === ASSERT_END) {
            this.#found[count] = at;
            count += 1;
          }
          break;
        default:
          this.#found[count] = at;
          count += 1;
      }
    }
    this.#budget.spend(visited);
    return count;
  }

  /** The one state for the first `count` states that were found. */
  #intern(count: number): DfaState {
    const states = this.#found.slice(0, count).sort();
    let hash = 0;
    for (const state of states) hash = (Math.imul(hash, 0x01000193) ^ state) | 0;
    const alike = this.#known.get(hash);
    const known = alike?.find((candidate) => isEqual(candidate.states, states));
    if (known !== undefined) return known;
    this.#remember(states.length + this.#program.classCount + 32);
    const state: DfaState = { states, next: [], era: this.#era, candidates: undefined };
    const bucket = this.#known.get(hash);
    if (bucket === undefined) this.#known.set(hash, [state]);
    else bucket.push(state);
    return state;
  }

  /** Makes room, if need be. States that someone is in stay good; they have to find their way again. */
  #remember(elements: number): void {
    this.#memory += elements;
    if (this.#memory <= this.#memoryMax) return;
    for (const bucket of this.#known.values()) {
      for (const state of bucket) state.next = [];
    }
    this.#known = new Map();
    this.#memory = elements;
    this.#era += 1;
  }
}

function isEqual(a: Int32Array, b: Int32Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}
