/** A pattern that is none in a dialect. Whoever reads patterns says which pattern, and where it stands. */
export class PatternSyntaxError extends Error {}

/** A pattern that may well be one, and for which there is no automaton here. The message names the construct. */
export class UntranslatableError extends Error {}
