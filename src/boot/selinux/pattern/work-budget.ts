import { ComposefsError } from '../../../errors.js';

/**
 * Bounds the work that patterns make, in steps of an automaton: what a hostile policy can take is a matter of seconds,
 * and the same on every machine.
 */
export class WorkBudget {
  #left: number;

  constructor(steps: number) {
    this.#left = steps;
  }

  /** More work is allowed. */
  grant(steps: number): void {
    this.#left += steps;
  }

  /** @throws ComposefsError `SELINUX_POLICY_TOO_COMPLEX` */
  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) {
      throw new ComposefsError('SELINUX_POLICY_TOO_COMPLEX', 'matching the patterns takes too much time');
    }
  }
}
