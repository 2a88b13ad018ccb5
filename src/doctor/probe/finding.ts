/**
 * What was found out about one thing:
 *
 * - `ok`: it is there and was seen to work.
 * - `limited`: it works in part, or for others than this user, or could not be tried.
 * - `missing`: it does not work here.
 */
export type FindingState = 'ok' | 'limited' | 'missing';

/** What a probe says. */
export interface Outcome {
  readonly state: FindingState;
  /** What was found, and where it is not `ok` the reason. */
  readonly detail: string;
  /** What would change that, or what to use instead. */
  readonly remedy?: string | undefined;
}

/** One line of the report. */
export interface Finding extends Outcome {
  /** Stable, for programs. */
  readonly check: string;
  /** For people. */
  readonly title: string;
  /** Without it no image can be stored or read. */
  readonly necessary: boolean;
}

export function ok(detail: string): Outcome {
  return { state: 'ok', detail };
}

export function limited(detail: string, remedy?: string): Outcome {
  return { state: 'limited', detail, remedy };
}

export function missing(detail: string, remedy?: string): Outcome {
  return { state: 'missing', detail, remedy };
}
