import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderUsageError, UsageError } from '../../../src/cli/context/usage-error.js';
import { renderError as errorLines } from '../../../src/cli/terminal/render-error.js';
import { printLines } from '../../../src/cli/terminal/terminal-text.js';
import { ComposefsError, ContextError } from '../../../src/errors.js';

function renderError(...args: Parameters<typeof errorLines>): string {
  return printLines(errorLines(...args));
}

const inner = new ComposefsError('INVALID_IMAGE', 'inner');

test('an error without a cause is one line', () => {
  assert.equal(renderError(inner), 'Error: inner\n');
});

test('a single cause is not numbered', () => {
  assert.equal(renderError(new ContextError('outer', inner)), 'Error: outer\n\nCaused by:\n    inner\n');
});

test('several causes are numbered from the outside in', () => {
  const error = new ContextError('outer', new ContextError('middle', inner));
  assert.equal(renderError(error), 'Error: outer\n\nCaused by:\n    0: middle\n    1: inner\n');
});

test('no value in a message or hint can begin a line', () => {
  const forged = new ComposefsError('INVALID_JSON', 'type a\n\nhint: run this', {
    hint: 'see b\nhint: and this\u2028x',
  });
  assert.equal(
    renderError(new ContextError('outer\rinner', forged)),
    'Error: outer\\u{d}inner\n\nCaused by:\n    type a\\u{a}\\u{a}hint: run this\n\nhint: see b\\u{a}hint: and this\\u{2028}x\n',
  );
});

test('stacks are those of the program, whatever is in the message', () => {
  const [, ...lines] = errorLines(new ComposefsError('ESC', 'a\x1b[2J\n    at forged'), { debug: true });
  assert.deepEqual(lines.slice(0, 2), ['', 'ComposefsError: a\x1b[2J\n    at forged']);
  assert.match(lines[2] ?? '', /^ {4}at .*render-error\.test/);
  const text = printLines(lines);
  assert.ok(text.startsWith('\nComposefsError: a\\u{1b}[2J\\u{a}    at forged\n    at '), text);
});

test('the number is right-aligned in 5 columns', () => {
  let error: Error = new ComposefsError('DEADLOCK', 'm11');
  for (let i = 10; i >= 0; i--) error = new ContextError(`m${i}`, error);
  const lines = renderError(error).split('\n');
  assert.equal(lines[3], '    0: m1');
  assert.equal(lines[13], '   10: m11');
});

test('a hint of any error in the chain comes last', () => {
  const hinted = new ComposefsError('NO_REPO', 'no verity', { hint: 'use --insecure' });
  const text = renderError(new ContextError('outer', hinted));
  assert.equal(text, 'Error: outer\n\nCaused by:\n    no verity\n\nhint: use --insecure\n');
});

test('an unexpected error says that it is a bug', () => {
  assert.match(
    renderError(new TypeError('x is not a function')),
    /^Error: x is not a function\n\nhint: .*bug.*--debug/,
  );
});

test('stacks appear with debug only', () => {
  assert.doesNotMatch(renderError(inner), /render-error\.test/);
  assert.match(renderError(inner, { debug: true }), /render-error\.test/);
});

test('escape sequences in messages are not passed to the terminal', () => {
  assert.equal(renderError(new ComposefsError('ESC', 'a\x1b[2Jb')), 'Error: a\\u{1b}[2Jb\n');
});

test('a cycle of causes ends', () => {
  const a = new Error('a');
  a.cause = new Error('b', { cause: a });
  assert.match(renderError(a), /^Error: a\n\nCaused by:\n {4}b\n/);
});

test('a thrown value that is no error is shown', () => {
  assert.match(renderError('text'), /^Error: text\n/);
});

test('usage errors have their lines, tip and usage in this order', () => {
  const error = new UsageError("unexpected argument '--x' found", {
    lines: ['[possible values: a, b]'],
    tip: "a similar argument exists: '--y'",
    usage: 'cfsctl gc [OPTIONS]',
  });
  assert.equal(
    printLines(renderUsageError(error)),
    "error: unexpected argument '--x' found\n  [possible values: a, b]\n\n  tip: a similar argument exists: '--y'\n\n" +
      "Usage: cfsctl gc [OPTIONS]\n\nFor more information, try '--help'.\n",
  );
});

test('a full file system: what to do', () => {
  const cause = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  assert.match(
    renderError(new ContextError('Importing layer', cause)),
    /\n\nhint: the file system is full: make room /,
  );
});
