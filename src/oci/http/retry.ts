import { setTimeout } from 'node:timers/promises';
import { RegistryError } from '../model/registry-error.js';

/** When to try again. Plain data. */
export interface RetryPolicy {
  /** Requests in all, the first included. */
  readonly attempts: number;
  /** The longest pause before the second attempt; it doubles for each further one. Milliseconds. */
  readonly baseMs: number;
  /** No pause of our own is longer. */
  readonly maxMs: number;
  /** A server that asks for a longer pause (Retry-After) is not waited for. */
  readonly maxRetryAfterMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = { attempts: 5, baseMs: 500, maxMs: 20_000, maxRetryAfterMs: 120_000 };

/** Told of each pause: which failure, and how long until the next attempt. */
export type RetryObserver = (error: RegistryError, delayMs: number) => void;

/**
 * How long to wait after attempt number `attempt` (from 1) has failed; undefined: not at all, give up.
 *
 * Half of the pause is random, so that many clients do not come back at the same moment.
 */
export function retryDelay(policy: RetryPolicy, attempt: number, error: unknown): number | undefined {
  if (!(error instanceof RegistryError) || !error.retriable || attempt >= policy.attempts) return undefined;
  if (error.retryAfterMs !== undefined) {
    if (error.retryAfterMs > policy.maxRetryAfterMs) return undefined;
    // Not all at once, but never earlier than asked for.
    return error.retryAfterMs + Math.random() * Math.min(policy.baseMs, 1000);
  }
  const longest = Math.min(policy.maxMs, policy.baseMs * 2 ** (attempt - 1));
  return longest / 2 + (Math.random() * longest) / 2;
}

/** Runs `action` until it succeeds or trying again cannot help. */
export async function withRetries<T>(
  policy: RetryPolicy,
  action: () => Promise<T>,
  signal?: AbortSignal,
  observe?: RetryObserver,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      const delay = retryDelay(policy, attempt, error);
      if (delay === undefined || signal?.aborted === true) throw error;
      if (error instanceof RegistryError) observe?.(error, delay);
      await pause(delay, signal);
    }
  }
}

/** Waits, or throws the signal's reason at once when it is aborted. */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  try {
    await setTimeout(milliseconds, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/** `Retry-After` in milliseconds from now: a number of seconds or a date (RFC 9110 §10.2.3). */
export function parseRetryAfter(value: string | undefined, now: number = Date.now()): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (/^\d{1,15}$/.test(text)) {
    const seconds = Number(text);
    // Docker Hub has been seen to send the Unix time of the end of the ban.
    return seconds > 1_000_000_000 ? Math.max(0, seconds * 1000 - now) : seconds * 1000;
  }
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
