import assert from 'node:assert/strict';
import { ComposefsError, fullMessage } from '../../src/errors.js';

/** What the action throws; fails if it throws nothing. */
export function errorOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return assert.fail('no error');
}

/** The message of what the action throws, with its causes. */
export function messageOf(action: () => unknown): string {
  return fullMessage(errorOf(action));
}

/** The error of ours that the promise is rejected with; fails if it is fulfilled. */
export async function rejectionOf(promise: Promise<unknown>): Promise<ComposefsError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof ComposefsError, String(error));
    return error;
  }
  return assert.fail('no error');
}
