import { printLines } from '../terminal/terminal-text.js';
import { warningLine } from '../terminal/warning.js';
import { ProgressBars } from './bars.js';
import type { ProgressDisplay, ProgressStream } from './display.js';
import { JsonLinesProgress } from './json-lines.js';
import { PlainProgress } from './plain.js';

export type ProgressMode = 'auto' | 'bar' | 'plain' | 'json' | 'none';

/** The display of a mode; `auto` means bars on a terminal, and else a line every few seconds. */
export function createProgressDisplay(mode: ProgressMode, stream: ProgressStream): ProgressDisplay {
  switch (mode) {
    case 'auto':
      return canRedraw(stream) ? new ProgressBars(stream) : new PlainProgress(stream, { messages: false });
    case 'bar':
      return new ProgressBars(stream);
    case 'plain':
      return new PlainProgress(stream, { messages: true });
    case 'json':
      return new JsonLinesProgress(stream);
    case 'none':
      return onlyWarnings(stream);
  }
}

function onlyWarnings(stream: ProgressStream): ProgressDisplay {
  return {
    report: (event) => {
      if (event.type === 'message' && event.level === 'warning') stream.write(printLines([warningLine(event.text)]));
    },
    finish: () => undefined,
  };
}

/** Events go to all of them. */
export function combineDisplays(displays: readonly ProgressDisplay[]): ProgressDisplay {
  return {
    report: (event) => {
      for (const display of displays) display.report(event);
    },
    finish: () => {
      for (const display of displays) display.finish();
    },
  };
}

function canRedraw(stream: ProgressStream): boolean {
  return stream.isTTY === true && process.env['TERM'] !== 'dumb';
}
