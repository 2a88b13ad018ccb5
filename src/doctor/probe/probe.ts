import type { Outcome } from './finding.js';

export interface ProbeContext {
  /** Where the repository is or would be. */
  readonly repository: string;
  /** The nearest directory to that which exists: its file system is the one to look at. */
  readonly directory: string;
}

/**
 * Finds out one thing by trying it, and leaves nothing behind. Whatever it throws becomes a finding; it runs in a
 * process of its own, with a limit on its time.
 */
export interface Probe {
  readonly check: string;
  readonly title: string;
  readonly necessary?: boolean;
  /** Nothing can be tried without them. */
  readonly needsSystemCalls?: boolean;
  run(context: ProbeContext): Outcome;
}
