/**
 * The error base of the whole package.
 *
 * Every error that the library throws on purpose is a {@link ComposefsError}: it has a stable `code` to match on, a
 * message that names the thing concerned, an optional `hint` that says what the user can do, and a `cause`.
 */

export interface ErrorDetails {
  /** What went wrong underneath. */
  readonly cause?: unknown;
  /** One sentence that tells the user what to do about it. */
  readonly hint?: string;
}

export class ComposefsError extends Error {
  /** Stable, for programs: `EOPNOTSUPP`, `INVALID_IMAGE`, `REF_NOT_FOUND`, … Never localised, never reused. */
  readonly code: string;
  readonly hint: string | undefined;

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.name = new.target.name;
    this.code = code;
    this.hint = details.hint;
  }
}

/** Adds an outer context message to an error; the code stays that of the innermost typed error. */
export class ContextError extends ComposefsError {
  constructor(message: string, cause: unknown, hint?: string) {
    super(errorCode(cause), message, { cause, ...(hint !== undefined && { hint }) });
  }
}

/**
 * Runs `action`; an error that it throws is wrapped in a {@link ContextError} with `message`.
 *
 * @param hints what the user can do, by the code of the error.
 */
export function withContext<T>(
  message: string | (() => string),
  action: () => T,
  hints: Readonly<Record<string, string>> = {},
): T {
  try {
    return action();
  } catch (cause) {
    throw new ContextError(typeof message === 'string' ? message : message(), cause, hints[errorCode(cause)]);
  }
}

/** {@link withContext} for asynchronous actions. */
export async function withContextAsync<T>(message: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw new ContextError(message, cause);
  }
}

/** The stable code of any thrown value: the typed code, the errno name of a system error, else `INTERNAL`. */
export function errorCode(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string') {
    return error.code;
  }
  return 'INTERNAL';
}

/** What was thrown and its causes, outermost first. */
export function* causes(error: unknown): Generator<unknown> {
  const seen = new Set<unknown>();
  for (let current = error; current !== undefined && current !== null && !seen.has(current); ) {
    seen.add(current);
    yield current;
    current = current instanceof Error ? current.cause : undefined;
  }
}

/** The messages of an error and its causes, outermost first. */
export function errorChain(error: unknown): string[] {
  return [...causes(error)].map((cause) => (cause instanceof Error ? cause.message : String(cause)));
}

/** The whole chain on one line, outermost first, joined by `: ` (spec 10 §1). */
export function fullMessage(error: unknown): string {
  return errorChain(error).join(': ');
}

/** The first error of the chain, outermost first, that is an instance of `type`. */
export function findCause<T extends Error>(error: unknown, type: abstract new (...args: never[]) => T): T | undefined {
  for (const cause of causes(error)) if (cause instanceof type) return cause;
  return undefined;
}
