/**
 * The error base of the whole package.
 *
 * Every error that the library throws on purpose is a {@link ComposefsError}: it has a stable `code` to match on, a
 * message that names the thing concerned, an optional `hint` that says what the user can do, and a `cause`.
 */

import { type ErrorCode, knownCode } from './error-codes.js';

/** What an error says besides its code and message. */
export interface ErrorDetails {
  /** What went wrong underneath. */
  readonly cause?: unknown;
  /** One sentence that tells the user what to do about it. */
  readonly hint?: string;
}

/** Where an error says of which classes it is, where its prototype does not. */
const LINEAGE = Symbol.for('composefs-oci.error-lineage');

/**
 * Base of all errors that are thrown on purpose.
 *
 * `instanceof` goes by the names of classes: an error keeps its class and its fields on the way from a worker thread,
 * and between two copies of this package.
 */
export class ComposefsError extends Error {
  /** @hidden */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: a subclass asks for itself.
    if (Function.prototype[Symbol.hasInstance].call(this, value)) return true;
    // biome-ignore lint/complexity/noThisInStatic: a subclass asks for itself.
    return value instanceof Error && LINEAGE in value && lineageOf(value).includes(this.name);
  }

  /** Stable, for programs: one of `ERROR_CODES`, or the name of a system error. */
  readonly code: ErrorCode;
  /** What the user can do about it: its own, or that of its cause. */
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.name = new.target.name;
    this.code = code;
    this.hint = details.hint ?? (details.cause instanceof ComposefsError ? details.cause.hint : undefined);
  }
}

/** The names of the classes of an error, its own first, up to `ComposefsError`; none of other errors. */
export function lineageOf(error: Error): readonly string[] {
  const kept: unknown = Reflect.get(error, LINEAGE);
  if (Array.isArray(kept)) return kept.map(String);
  const names: string[] = [];
  for (let type: unknown = error.constructor; isClass(type) && type !== Error; type = Object.getPrototypeOf(type)) {
    names.push(type.name);
  }
  return names.includes(ComposefsError.name) ? names : [];
}

function isClass(value: unknown): value is { readonly name: string } {
  return typeof value === 'function' && value !== Function.prototype;
}

/** Makes an error count as one of classes that this thread need not know. */
export function withLineage<T extends ComposefsError>(error: T, lineage: readonly string[]): T {
  Object.defineProperty(error, LINEAGE, { value: lineage });
  return error;
}

/** Adds an outer context message to an error; the code stays that of the innermost typed error. */
export class ContextError extends ComposefsError {
  constructor(message: string, cause: unknown, hint?: string) {
    super(knownCode(errorCode(cause)), message, { cause, ...(hint !== undefined && { hint }) });
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

/** The codes of what a signal is aborted with unless it is told otherwise: the names that DOMException has for them. */
const ABORT_CODES: Readonly<Record<string, string>> = { AbortError: 'ABORT_ERR', TimeoutError: 'TIMEOUT_ERR' };

/**
 * The stable code of any thrown value: the typed code, the errno name of a system error, `ABORT_ERR` and `TIMEOUT_ERR` of
 * a signal, else `INTERNAL`.
 */
export function errorCode(error: unknown): string {
  if (error instanceof DOMException) return ABORT_CODES[error.name] ?? 'INTERNAL';
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
