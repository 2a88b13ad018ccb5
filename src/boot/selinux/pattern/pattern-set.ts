/** The patterns of a policy: which is the last that matches? */

import type { ByteString } from '../../../bytes/byte-string.js';
import { type DfaState, LazyDfa } from './lazy-dfa.js';
import { NOTHING, type PatternNode } from './pattern-node.js';
import { ProgramBuilder } from './program.js';
import { Simulation } from './simulation.js';
import { WorkBudget } from './work-budget.js';

/**
 * Steps of automata for one set of patterns, and for each subject: about two seconds, and 0.1 ms. For an image of 50,000
 * files a real policy needs half a million.
 */
const STEPS_MAX = 200_000_000;
const STEPS_PER_SUBJECT = 10_000;

/** A beginning of a subject, for which the work is done. Opaque. */
export interface Beginning {
  readonly text: ByteString;
  readonly state: DfaState;
}

/**
 * An index over patterns: one automaton that knows for each beginning which patterns can still match. Of patterns that look
 * around it knows when all that they take matches; whether they really do is then looked at one by one.
 */
export class PatternSet {
  readonly #dfa: LazyDfa;
  readonly #simulation: Simulation;
  readonly #budget = new WorkBudget(STEPS_MAX);
  /** By the pattern that looks around, where the automaton of its own begins. */
  readonly #lookingAround = new Map<number, number>();

  /**
   * @param patterns of which each matches the whole of a subject by its own assertions, or some beginning of it.
   * @throws ComposefsError `SELINUX_POLICY_TOO_LARGE`
   */
  constructor(patterns: Iterable<PatternNode>) {
    const builder = new ProgramBuilder();
    const start = builder.newPrefix();
    let pattern = 0;
    for (const node of patterns) {
      if (looksAround(node)) {
        this.#lookingAround.set(pattern, builder.addNode(node, pattern));
        builder.addPattern(start, withoutLookingAround(node), pattern);
      } else {
        builder.addPattern(start, node, pattern);
      }
      pattern += 1;
    }
    const program = builder.finish();
    this.#dfa = new LazyDfa(program, start.state, (of) => this.#lookingAround.has(of), this.#budget);
    this.#simulation = new Simulation(program, this.#budget);
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
    this.#budget.grant(STEPS_PER_SUBJECT);
    for (const pattern of this.#dfa.candidates(subject.state)) {
      const start = this.#lookingAround.get(pattern);
      if (start === undefined || this.#simulation.matches(start, subject.text)) return pattern;
    }
    return undefined;
  }
}

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
    case 'lookaround':
      return asksForSurroundings(node);
  }
}

/** The same, and all conditions on what is before or behind a position hold: it matches what the node does, and more. */
function withoutLookingAround(node: PatternNode): PatternNode {
  switch (node.type) {
    case 'bytes':
    case 'set':
      return node;
    case 'sequence':
      return { type: 'sequence', parts: node.parts.map(withoutLookingAround) };
    case 'alternatives':
      return { type: 'alternatives', options: node.options.map(withoutLookingAround) };
    case 'repeat':
      return { ...node, node: withoutLookingAround(node.node) };
    case 'assertion':
    case 'lookaround':
      return asksForSurroundings(node) ? NOTHING : node;
  }
}

/** What the automaton for all patterns cannot tell. */
function asksForSurroundings(node: PatternNode): boolean {
  return node.type === 'lookaround' || (node.type === 'assertion' && !['start', 'end'].includes(node.assertion));
}
