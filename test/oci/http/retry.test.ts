import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRetryAfter, retryDelay, withRetries } from '../../../src/oci/http/retry.js';
import { RegistryError } from '../../../src/oci/model/registry-error.js';

const POLICY = { attempts: 4, baseMs: 100, maxMs: 300, maxRetryAfterMs: 5000 };
const transient = new RegistryError('TIMEOUT', 'x', { retriable: true });

test('pauses double up to a bound, and half of each is random', () => {
  for (const [attempt, longest] of [
    [1, 100],
    [2, 200],
    [3, 300],
  ] as const) {
    for (let i = 0; i < 100; i++) {
      const delay = retryDelay(POLICY, attempt, transient) ?? 0;
      assert.ok(delay >= longest / 2 && delay <= longest, `${attempt}: ${delay}`);
    }
  }
  assert.equal(retryDelay(POLICY, 4, transient), undefined);
});

test('what cannot help is not tried', () => {
  assert.equal(retryDelay(POLICY, 1, new RegistryError('TIMEOUT', 'x')), undefined);
  assert.equal(retryDelay(POLICY, 1, new Error('x')), undefined);
});

test('Retry-After is waited for, unless it is too long', () => {
  const after = (retryAfterMs: number): RegistryError =>
    new RegistryError('TIMEOUT', 'x', { retriable: true, retryAfterMs });
  const delay = retryDelay(POLICY, 1, after(2000)) ?? 0;
  assert.ok(delay >= 2000 && delay <= 2100);
  assert.equal(retryDelay(POLICY, 1, after(5001)), undefined);
});

test('Retry-After is a number of seconds, a date, or a Unix time', () => {
  const now = Date.UTC(2026, 0, 1);
  assert.equal(parseRetryAfter('120', now), 120_000);
  assert.equal(parseRetryAfter(' 0 ', now), 0);
  assert.equal(parseRetryAfter('Thu, 01 Jan 2026 00:00:30 GMT', now), 30_000);
  assert.equal(parseRetryAfter('Thu, 01 Jan 2025 00:00:30 GMT', now), 0);
  assert.equal(parseRetryAfter(String(now / 1000 + 7), now), 7000);
  assert.equal(parseRetryAfter('soon', now), undefined);
  assert.equal(parseRetryAfter(undefined, now), undefined);
});

test('a pause ends at once when the signal is aborted', { timeout: 60_000 }, async () => {
  const controller = new AbortController();
  const policy = { ...POLICY, baseMs: 600_000, maxMs: 600_000 };
  setTimeout(() => controller.abort(new Error('stop')), 20);
  await assert.rejects(
    withRetries(policy, () => Promise.reject(transient), controller.signal),
    /stop/,
  );
});
