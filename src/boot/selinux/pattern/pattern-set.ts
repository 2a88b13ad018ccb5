/** The patterns of a policy: which is the last that matches? */

import type { ByteString } from '../../../bytes/byte-string.js';
import { type DfaState, LazyDfa, NO_PATTERN } from './lazy-dfa.js';
import type { PatternNode } from './pattern-node.js';
import { ProgramBuilder } from './program.js';
import { Simulation } from './simulation.js';
import { WorkBudget } from './work-budget.js';

/** Steps of automata for one set of patterns: half a minute of work. A real policy needs a thousandth for an image. */
const STEPS_MAX = 4_000_000_000;

/** A beginning of a subject, for which the work is done. Opaque. */
export interface Beginning {
  readonly text: ByteString;
  readonly state: DfaState;
}

/**
 * An index over patterns. What is ordinary is one automaton; patterns that look around are tried one by one, from the
 * last to the first, where they could win.
 */
export class PatternSet {
  readonly #dfa: LazyDfa;
  readonly #simulation: Simulation;
  /** The last pattern first. */
  readonly #lookingAround: readonly { readonly pattern: number; readonly start: number }[];

  /**
   * @param patterns of which each matches the whole of a subject by its own assertions, or some beginning of it.
   * @throws ComposefsError `SELINUX_POLICY_TOO_LARGE`
   */
  constructor(patterns: Iterable<PatternNode>) {
    const budget = new WorkBudget(STEPS_MAX);
    const builder = new ProgramBuilder();
    const start = builder.newPrefix();
    const lookingAround: { pattern: number; start: number }[] = [];
    let pattern = 0;
    for (const node of patterns) {
      if (looksAround(node)) lookingAround.push({ pattern, start: builder.addNode(node, pattern) });
      else builder.addPattern(start, node, pattern);
      pattern += 1;
    }
    lookingAround.reverse();
    const program = builder.finish();
    this.#dfa = new LazyDfa(program, start.state, budget);
    this.#simulation = new Simulation(program, budget);
    this.#lookingAround = lookingAround;
  }

  /** The beginning of all subjects. */
  get empty(): Beginning {
    return { text: '' as ByteString, state: this.#dfa.start };
  }

  extend(beginning: Beginning, bytes: ByteString): Beginning {
    return { text: `${beginning.text}${bytes}` as ByteString, state: this.#dfa.run(beginning.state, bytes) };
  }

  /**
   * The index of the last pattern that matches the subject, or undefined.
   *
   * @throws ComposefsError `SELINUX_POLICY_TOO_COMPLEX`
   */
  lastMatch(subject: Beginning): number | undefined {
    const winner = this.#dfa.winner(subject.state);
    for (const { pattern, start } of this.#lookingAround) {
      if (pattern < winner) break;
      if (this.#simulation.matches(start, subject.text)) return pattern;
    }
    return winner === NO_PATTERN ? undefined : winner;
  }
}

/** Whether it has anything for which the bytes before or behind a position have to be known. */
function looksAround(node: PatternNode): boolean {
  switch (node.type) {
    case 'bytes':
    case 'set':
      return false;
    case 'sequence':
      return node.parts.some(looksAround);
    case 'alternatives':
      return node.options.some(looksAround);
    case 'repeat':
      return looksAround(node.node);
    case 'assertion':
      return node.assertion !== 'start' && node.assertion !== 'end';
    case 'lookaround':
      return true;
  }
}
