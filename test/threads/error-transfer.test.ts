import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RepositoryOpenError } from '../../src/composefs/repository/index.js';
import type { ErrorCode } from '../../src/error-codes.js';
import { ComposefsError, ContextError, errorCode, findCause, fullMessage } from '../../src/errors.js';
import { SystemError } from '../../src/linux/errno.js';
import { RegistryError } from '../../src/oci/model/registry-error.js';
import { packError, unpackError } from '../../src/threads/error-transfer.js';

function sent(error: unknown): Error {
  return unpackError(structuredClone(packError(error)));
}

test('an error has the same class and fields on the other side of a thread', () => {
  const error = sent(new RegistryError('UNAUTHORIZED', 'no', { status: 401, retriable: true, hint: 'log in' }));
  assert(error instanceof RegistryError);
  assert.deepEqual(
    [error.name, error.code, error.status, error.retriable, error.retryAfterMs, error.hint],
    ['RegistryError', 'UNAUTHORIZED', 401, true, undefined, 'log in'],
  );
  assert(error instanceof ComposefsError);
  assert.equal(error instanceof SystemError, false);
  const opened = sent(new RepositoryOpenError('metadata-missing', 'none'));
  assert(opened instanceof RepositoryOpenError);
  assert.equal(opened.kind, 'metadata-missing');
});

test('so have its causes', () => {
  const error = sent(new ContextError('Pulling', new RegistryError('TIMEOUT', 'silence', { cause: new Error('low') })));
  assert(error instanceof ContextError);
  assert.equal(findCause(error, RegistryError)?.code, 'TIMEOUT');
  assert.equal(fullMessage(error), 'Pulling: silence: low');
});

test('an error that has crossed two threads is still of its class', () => {
  assert(sent(sent(new RegistryError('TIMEOUT', 'silence'))) instanceof RegistryError);
});

test('an error says what the user can do where its cause does', () => {
  const cause = new RegistryError('TIMEOUT', 'silence', { hint: 'wait' });
  assert.equal(new ContextError('Pulling', new ContextError('Layer', cause)).hint, 'wait');
  assert.equal(new ContextError('Pulling', cause, 'better').hint, 'better');
  assert.equal(new ComposefsError('TIMEOUT', 'x', { cause: new Error('y') }).hint, undefined);
});

test('what a signal ends has a code', () => {
  assert.equal(errorCode(AbortSignal.abort().reason), 'ABORT_ERR');
  assert.equal(errorCode(new DOMException('late', 'TimeoutError')), 'TIMEOUT_ERR');
});

test('what is no error of ours is told apart, and keeps name and code', () => {
  const system = sent(Object.assign(new Error('ENOENT: none'), { code: 'ENOENT', errno: -2 }));
  assert.equal(errorCode(system), 'ENOENT');
  assert.equal(system instanceof SystemError, false);
  const type = sent(new TypeError('oops'));
  assert.deepEqual([type.name, errorCode(type), type instanceof TypeError], ['TypeError', 'INTERNAL', false]);
  assert.equal(sent('text').message, 'text');
});

test('instanceof of what is no error, and of classes that are not of the same line', () => {
  for (const value of [undefined, null, 1, 'x', {}, { name: 'ComposefsError' }, new Error('x')]) {
    assert.equal(value instanceof ComposefsError, false);
  }
  class Own extends ComposefsError {}
  assert.equal(new ComposefsError('TIMEOUT', 'x') instanceof Own, false);
  assert.equal(new Own('TIMEOUT', 'x') instanceof ComposefsError, true);
});

test('any chain of errors comes back: codes, messages, hints, numbers and texts', () => {
  const fields = fc.record({
    code: fc.constantFrom<ErrorCode>('DIFF_ID_MISMATCH', 'TIMEOUT', 'INTERNAL', 'ENOSPC'),
    message: fc.string(),
    hint: fc.option(fc.string(), { nil: undefined }),
    status: fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.bigInt()),
  });
  fc.assert(
    fc.property(fc.array(fields, { minLength: 1, maxLength: 4 }), (chain) => {
      let error: ComposefsError | undefined;
      for (const { code, message, hint, status } of chain) {
        const details = { ...(hint !== undefined && { hint }), ...(error !== undefined && { cause: error }) };
        error = Object.assign(new ComposefsError(code, message, details), { status });
      }
      let [given, got]: unknown[] = [error, sent(error)];
      while (given instanceof ComposefsError) {
        assert.ok(got instanceof ComposefsError);
        assert.deepEqual(
          [got.code, got.message, got.hint, got.stack, 'status' in got && got.status],
          [given.code, given.message, given.hint, given.stack, 'status' in given && given.status],
        );
        [given, got] = [given.cause, got.cause];
      }
      assert.equal(got, undefined);
    }),
  );
});
