import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderTable } from '../../src/cli/table.js';
import { displayWidth, escapeControls, padDisplay, truncateDisplay } from '../../src/cli/terminal-text.js';

test('the table of spec 70 A5', () => {
  const table = renderTable(
    ['NAME', 'DIGEST'],
    [
      ['my-image', '1d268f8bc760'],
      ['your-image', '6fae72a66167'],
    ],
  );
  assert.equal(
    table,
    `┌────────────┬──────────────┐
│ NAME       ┆ DIGEST       │
╞════════════╪══════════════╡
│ my-image   ┆ 1d268f8bc760 │
├╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌┤
│ your-image ┆ 6fae72a66167 │
└────────────┴──────────────┘
`,
  );
});

test('every line of a table has the same width, also with wide, combining and control characters', () => {
  const rows = [
    ['日本語', '1'],
    ['e\u0301tude', '2'],
    ['🦭 seal', '3'],
    ['a\x1b[31mred\n', '4'],
    ['', ''],
  ];
  const widths = renderTable(['NAME', 'N'], rows).trimEnd().split('\n').map(displayWidth);
  assert.equal(new Set(widths).size, 1);
});

test('columns that terminals use', () => {
  assert.equal(displayWidth('abc'), 3);
  assert.equal(displayWidth('日本'), 4);
  assert.equal(displayWidth('한글'), 4);
  assert.equal(displayWidth('e\u0301'), 1);
  assert.equal(displayWidth('🦭'), 2);
  assert.equal(displayWidth('a\u200bb'), 2);
  assert.equal(displayWidth('─é'), 2);
});

test('padding and truncating count columns', () => {
  assert.equal(padDisplay('日', 4), '日  ');
  assert.equal(truncateDisplay('abcdef', 6), 'abcdef');
  assert.equal(truncateDisplay('abcdef', 5), 'abcd…');
  assert.equal(truncateDisplay('日本語', 4), '日…');
  assert.equal(truncateDisplay('abc', 0), '');
});

test('control characters become visible', () => {
  assert.equal(escapeControls('a\x1b]0;x\x07\u009b\n'), 'a\\u{1b}]0;x\\u{7}\\u{9b}\\u{a}');
  assert.equal(escapeControls('a\n\tb\r', { keepLines: true }), 'a\n\tb\\u{d}');
});
