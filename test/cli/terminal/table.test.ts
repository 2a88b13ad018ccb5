import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderJson } from '../../../src/cli/terminal/output.js';
import { renderTable } from '../../../src/cli/terminal/table.js';
import { displayWidth, padDisplay, printLines, truncateDisplay } from '../../../src/cli/terminal/terminal-text.js';

test('the table of spec 70 A5', () => {
  const table = renderTable(
    ['NAME', 'DIGEST'],
    [
      ['my-image', '1d268f8bc760'],
      ['your-image', '6fae72a66167'],
    ],
  );
  assert.equal(
    printLines(table),
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
  const widths = renderTable(['NAME', 'N'], rows).map(displayWidth);
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

test('what commands a terminal, forges a line or hides becomes visible', () => {
  assert.equal(
    printLines(['a\x1b]0;x\x07\u009b\n', 'b\u202ec\u200bd\u2028e\u{e0001}\x7f']),
    'a\\u{1b}]0;x\\u{7}\\u{9b}\\u{a}\nb\\u{202e}c\\u{200b}d\\u{2028}e\\u{e0001}\\u{7f}\n',
  );
  assert.equal(printLines(['Zürich, 日本語 🦭 e\u0301']), 'Zürich, 日本語 🦭 e\u0301\n');
});

test('JSON says the same with such characters escaped', () => {
  const value = { name: 'a\x7f\x9b\u202e\u2028\u{e0001}\n日本', list: ['\u200d'] };
  const json = renderJson(value);
  assert.equal(
    json,
    '{\n  "name": "a\\u007f\\u009b\\u202e\\u2028\\udb40\\udc01\\n日本",\n  "list": [\n    "\\u200d"\n  ]\n}\n',
  );
  assert.deepEqual(JSON.parse(json), value);
});
