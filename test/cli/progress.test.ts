import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { constants, openSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ProgressBars } from '../../src/cli/progress/bars.js';
import { openDescriptor } from '../../src/cli/progress/descriptor.js';
import { formatDecimalBytes, formatDuration, shortLabel } from '../../src/cli/progress/format.js';
import { JsonLinesProgress } from '../../src/cli/progress/json-lines.js';
import { PlainProgress } from '../../src/cli/progress/plain.js';
import { createProgressDisplay } from '../../src/cli/progress/select.js';
import { TransferState } from '../../src/cli/progress/transfer-state.js';
import { displayWidth } from '../../src/cli/terminal/terminal-text.js';
import { withFd } from '../../src/fs/files.js';
import type { ProgressEvent } from '../../src/progress.js';
import { withTempDir } from '../support/paths.js';

const ESCAPE = '\x1b';
const TOKENS = new RegExp(`${ESCAPE}\\[\\d*[A-Z]|\\r|\\n|[^${ESCAPE}\\r\\n]+`, 'g');
const CURSOR_UP = new RegExp(`^${ESCAPE}\\[(\\d+)A$`);

/** Understands the few sequences that the bars use, and keeps the lines that a person would see. */
class FakeTerminal {
  readonly isTTY = true;
  readonly columns: number;
  readonly rows: number;
  lines: string[] = [''];
  row = 0;
  drawings = 0;
  mostLines = 0;

  constructor(columns = 100, rows = 24) {
    this.columns = columns;
    this.rows = rows;
  }

  write(text: string): void {
    if (text === '') return;
    this.drawings += 1;
    for (const [token] of text.matchAll(TOKENS)) this.#apply(token);
  }

  #apply(token: string): void {
    const up = CURSOR_UP.exec(token);
    if (up !== null) {
      this.row -= Number(up[1]);
      assert.ok(this.row >= 0 && Number(up[1]) < this.rows, 'the cursor stays on the screen');
    } else if (token === '\x1b[J') {
      this.lines.length = this.row;
      this.lines.push('');
    } else if (token === '\n') {
      this.row += 1;
      if (this.row === this.lines.length) this.lines.push('');
      this.mostLines = Math.max(this.mostLines, this.lines.length);
    } else if (token !== '\r' && token !== '\x1b[K') {
      assert.ok(displayWidth(token) < this.columns, `fits the terminal: ${token}`);
      this.lines[this.row] = token;
    }
  }

  get screen(): string[] {
    return this.lines.slice(0, -1);
  }
}

function digest(letter: string): string {
  return `sha256:${letter.repeat(64)}`;
}

function started(id: string, total?: number): ProgressEvent {
  return { type: 'started', id, unit: 'bytes', ...(total !== undefined && { total }) };
}

test('a bar for each running layer and one line for the whole', () => {
  const terminal = new FakeTerminal();
  let now = 0;
  const bars = new ProgressBars(terminal, () => now);
  bars.report({ type: 'plan', total: 4_000_000, present: 1_000_000, unit: 'bytes' });
  bars.report(started(digest('a'), 1_000_000));
  bars.report(started(digest('b'), 2_000_000));
  now = 1000;
  bars.report({ type: 'progress', id: digest('a'), fetched: 250_000 });
  now = 2000;
  bars.report({ type: 'progress', id: digest('b'), fetched: 1_000_000 });
  assert.deepEqual(terminal.screen, [
    '[eta     6s] ##########------------------------------ 250.0 kB/  1.0 MB sha256:aaaaaaaaaaaa',
    '[eta     2s] ####################--------------------   1.0 MB/  2.0 MB sha256:bbbbbbbbbbbb',
    '[eta     3s] ######################------------------   2.3 MB/  4.0 MB total, 625.0 kB/s',
  ]);
});

test('narrow terminals: bars of one width, none where there would be hardly any', () => {
  const drawIn = (columns: number): string[] => {
    const terminal = new FakeTerminal(columns);
    let now = 0;
    const bars = new ProgressBars(terminal, () => now);
    bars.report({ type: 'plan', total: 2_000_000, present: 0, unit: 'bytes' });
    bars.report(started(digest('a'), 2_000_000));
    now = 1000;
    bars.report({ type: 'progress', id: digest('a'), fetched: 1_000_000 });
    return terminal.screen;
  };
  assert.deepEqual(drawIn(70), [
    '[eta     1s] #########---------   1.0 MB/  2.0 MB sha256:aaaaaaaaaaaa',
    '[eta     1s] #########---------   1.0 MB/  2.0 MB total, 1.0 MB/s',
  ]);
  assert.deepEqual(drawIn(55), [
    '[eta     1s]   1.0 MB/  2.0 MB sha256:aaaaaaaaaaaa',
    '[eta     1s]   1.0 MB/  2.0 MB total, 1.0 MB/s',
  ]);
  assert.deepEqual(drawIn(30), ['[eta     1s]   1.0 MB/  2.0 …', '[eta     1s]   1.0 MB/  2.0 …']);
});

test('what an earlier pull has kept counts as done, and not for the rate', () => {
  const state = new TransferState();
  state.apply({ type: 'plan', total: 1000, present: 0, unit: 'bytes' }, 0);
  state.apply({ type: 'started', id: 'a', total: 1000, present: 600, unit: 'bytes' }, 0);
  state.apply({ type: 'progress', id: 'a', fetched: 400 }, 500);
  assert.deepEqual([state.complete, state.rate(500), state.remaining(500)], [400, 0, undefined]);
  state.apply({ type: 'progress', id: 'a', fetched: 800 }, 1000);
  assert.deepEqual([state.complete, state.rate(1000), state.remaining(1000)], [800, 200, 1]);
  state.apply({ type: 'done', id: 'a', transferred: 1000 }, 2000);
  assert.deepEqual([state.complete, state.rate(2000)], [1000, 200]);
});

test('a finished layer leaves the screen, and finish leaves it clean', () => {
  const terminal = new FakeTerminal();
  let now = 0;
  const bars = new ProgressBars(terminal, () => now);
  bars.report({ type: 'plan', total: 10, present: 0, unit: 'bytes' });
  now = 200;
  bars.report(started(digest('a'), 10));
  assert.equal(terminal.screen.length, 2);
  now = 400;
  bars.report({ type: 'done', id: digest('a'), transferred: 10 });
  assert.equal(terminal.screen.length, 1);
  assert.match(terminal.screen[0] ?? '', /#{40} +10 B\/ +10 B total/);
  bars.finish();
  assert.deepEqual(terminal.screen, []);
});

test('messages go above the bars and stay', () => {
  const terminal = new FakeTerminal();
  let now = 0;
  const bars = new ProgressBars(terminal, () => now);
  bars.report(started(digest('a'), 10));
  now = 10;
  bars.report({ type: 'message', text: 'Importing 1 layers\x1b[2J' });
  bars.report({ type: 'skipped', id: digest('c') });
  assert.deepEqual(terminal.screen.slice(0, 2), ['Importing 1 layers\\u{1b}[2J', 'sha256:cccccccccccc skipped']);
  assert.match(terminal.screen[2] ?? '', /sha256:aaaaaaaaaaaa$/);
  bars.finish();
  assert.equal(terminal.screen.length, 2);
});

test('never more lines than the terminal has', () => {
  for (const rows of [2, 3, 5, 10]) {
    const terminal = new FakeTerminal(60, rows);
    let now = 0;
    const bars = new ProgressBars(terminal, () => now);
    bars.report({ type: 'plan', total: 1000, present: 0, unit: 'bytes' });
    for (let i = 0; i < 20; i++) {
      now += 200;
      bars.report(started(`layer-${i}`, 50));
    }
    assert.ok(terminal.mostLines <= rows, `${terminal.mostLines} lines of ${rows}`);
    if (rows === 5) assert.match(terminal.screen.join('\n'), /layer-0\n.*layer-1\n… and 18 more\n.*total/);
    bars.finish();
  }
});

test('redraws at most ten times a second', () => {
  const terminal = new FakeTerminal();
  let now = 0;
  const bars = new ProgressBars(terminal, () => now);
  bars.report(started(digest('a'), 10_000));
  const before = terminal.drawings;
  for (let i = 1; i <= 1000; i++) {
    now = i;
    bars.report({ type: 'progress', id: digest('a'), fetched: 10 * i });
  }
  assert.equal(terminal.drawings - before, 10);
  bars.finish();
});

test('the last state appears even if no event follows', async () => {
  const terminal = new FakeTerminal();
  const bars = new ProgressBars(terminal);
  bars.report(started(digest('a'), 1000));
  bars.report({ type: 'progress', id: digest('a'), fetched: 500 });
  // The timer of the bars does not keep the process alive.
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.match(terminal.screen[0] ?? '', /#{20}-{20}/);
  bars.finish();
});

test('a component without a total is a spinner; narrow terminals get shorter bars', () => {
  const terminal = new FakeTerminal(50);
  let now = 0;
  const bars = new ProgressBars(terminal, () => now);
  bars.report(started('x'));
  assert.deepEqual(terminal.screen, ['[eta      -] |      0 B x']);
  now = 200;
  bars.report(started('y', 10));
  assert.match(terminal.screen[1] ?? '', /^\[eta +-\] -{10,20} /);
  bars.finish();
});

test('events of unknown components and unknown kinds are ignored', () => {
  const terminal = new FakeTerminal();
  const bars = new ProgressBars(terminal);
  bars.report({ type: 'progress', id: 'nobody', fetched: 1 });
  bars.report({ type: 'done', id: 'nobody', transferred: 1 });
  bars.report({ type: 'future' } as unknown as ProgressEvent);
  bars.finish();
  assert.deepEqual(terminal.screen, []);
});

test('plain progress prints a line every five seconds at most', () => {
  const terminal = new FakeTerminal();
  let now = 0;
  const plain = new PlainProgress(terminal, { messages: false, clock: () => now });
  plain.report({ type: 'plan', total: 100_000_000, present: 0, unit: 'bytes' });
  plain.report({ type: 'message', text: 'Importing' });
  plain.report(started(digest('a'), 100_000_000));
  for (let i = 1; i <= 120; i++) {
    now = i * 100;
    plain.report({ type: 'progress', id: digest('a'), fetched: i * 100_000 });
  }
  assert.deepEqual(terminal.screen, [
    '5%, 5.0 MB/100.0 MB, 1.0 MB/s, 1m35s left, 1 running, 0 done',
    '10%, 10.0 MB/100.0 MB, 1.0 MB/s, 1m30s left, 1 running, 0 done',
  ]);
});

test('plain progress shows messages when asked for by name', () => {
  const terminal = new FakeTerminal();
  const plain = createProgressDisplay('plain', terminal);
  plain.report({ type: 'message', text: 'Importing' });
  plain.finish();
  assert.deepEqual(terminal.screen, ['Importing']);
});

test('JSON lines: every event, progress thinned out', () => {
  const terminal = new FakeTerminal(1000);
  let now = 0;
  const json = new JsonLinesProgress(terminal, () => now);
  json.report(started('a', 100));
  for (let i = 1; i <= 100; i++) {
    now = i;
    json.report({ type: 'progress', id: 'a', fetched: i });
  }
  json.report({ type: 'done', id: 'a', transferred: 100 });
  assert.deepEqual(
    terminal.screen.map((line) => JSON.parse(line) as unknown),
    [
      { type: 'started', id: 'a', unit: 'bytes', total: 100 },
      { type: 'progress', id: 'a', fetched: 1 },
      { type: 'done', id: 'a', transferred: 100 },
    ],
  );
});

test('every mode shows warnings, whole and without control characters', () => {
  const text = `Layer ${digest('a')}, entry "/usr/\x1b[2J/.wh.x": ${'long '.repeat(30)}`;
  const shown = `warning: ${text.replace('\x1b', '\\u{1b}')}\n`;
  for (const mode of ['auto', 'bar', 'plain', 'none'] as const) {
    let written = '';
    const display = createProgressDisplay(mode, { write: (chunk) => (written += chunk) });
    display.report({ type: 'message', text, level: 'warning' });
    display.finish();
    assert.ok(written.replace('\x1b[K', '').includes(shown), `${mode}: ${written}`);
  }
});

test('auto means bars on a terminal only; none is silent', () => {
  const terminal = new FakeTerminal();
  assert.ok(createProgressDisplay('auto', terminal) instanceof ProgressBars);
  assert.ok(createProgressDisplay('auto', { write: () => undefined }) instanceof PlainProgress);
  const none = createProgressDisplay('none', terminal);
  none.report({ type: 'message', text: 'x' });
  none.finish();
  assert.deepEqual(terminal.screen, []);
});

test('the rate is that of the last seconds', () => {
  const state = new TransferState();
  state.apply({ type: 'plan', total: 1000, present: 0, unit: 'bytes' }, 0);
  state.apply(started('a', 1000), 0);
  assert.equal(state.rate(0), undefined);
  for (let t = 1; t <= 10; t++) state.apply({ type: 'progress', id: 'a', fetched: t * 10 }, t * 1000);
  assert.equal(state.rate(10_000), 10);
  assert.equal(state.remaining(10_000), 90);
  for (let t = 11; t <= 16; t++) state.apply({ type: 'progress', id: 'a', fetched: 100 }, t * 1000);
  assert.equal(state.rate(16_000), 0);
  assert.equal(state.remaining(16_000), undefined);
});

test('formats', () => {
  assert.deepEqual([0, 999, 1000, 999_949, 999_950, 12_345_678_900].map(formatDecimalBytes), [
    '0 B',
    '999 B',
    '1.0 kB',
    '999.9 kB',
    '1.0 MB',
    '12.3 GB',
  ]);
  assert.deepEqual([0, 4.2, 60, 3599, 3600, undefined].map(formatDuration), [
    '0s',
    '5s',
    '1m00s',
    '59m59s',
    '1h00m',
    '-',
  ]);
  assert.equal(shortLabel(digest('a')), 'sha256:aaaaaaaaaaaa');
  assert.equal(shortLabel('apply-delta'), 'apply-delta');
});

test('a descriptor for progress was opened for writing, and by somebody else', () => {
  const refused = (fd: number): void =>
    assert.throws(() => openDescriptor(fd), {
      message: `invalid value '${fd}' for '--progress-fd <FD>': not a descriptor that was opened for writing`,
    });
  withTempDir((directory) => {
    const pipe = join(directory, 'pipe');
    execFileSync('mkfifo', [pipe]);
    withFd(openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK), (readEnd) => {
      refused(readEnd);
      // As the pipes of Node.js: it reads addresses from them.
      withFd(openSync(pipe, constants.O_WRONLY), refused);
    });
    withFd(openSync(join(directory, 'file'), 'w'), (fd) => openDescriptor(fd).write('x'));
    withFd(openSync(join(directory, 'file'), 'r'), refused);
  });
});
