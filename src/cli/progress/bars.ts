import { printable } from '../../bytes/printable.js';
import type { ProgressEvent, ProgressUnit } from '../../progress.js';
import { displayWidth, truncateDisplay } from '../terminal/terminal-text.js';
import { warningLine } from '../terminal/warning.js';
import type { Clock, ProgressDisplay, ProgressStream } from './display.js';
import { monotonicClock } from './display.js';
import { formatDecimalBytes, formatDuration, shortLabel } from './format.js';
import { type Component, componentRemaining, TransferState } from './transfer-state.js';

/** Milliseconds between two drawings: 10 a second. */
const REDRAW_INTERVAL = 100;
const BAR_WIDTH = 40;
const MIN_BAR_WIDTH = 10;
const AMOUNT_WIDTH = 8;
const ETA_WIDTH = 6;
const SPINNER = '|/-\\';

const CLEAR_BELOW = '\x1b[J';
const CLEAR_LINE_END = '\x1b[K';

/** A line with a bar: what is left and right of it. */
interface BarLine {
  readonly before: string;
  readonly done: number;
  readonly total: number;
  readonly after: string;
}

/**
 * One bar for each running component and a line for the whole, redrawn in place at the bottom of the terminal
 * (spec 70 A4). Messages go above the bars, and of warnings nothing is cut off. There are never more lines than the terminal has.
 */
export class ProgressBars implements ProgressDisplay {
  readonly #stream: ProgressStream;
  readonly #clock: Clock;
  readonly #state = new TransferState();
  #drawnLines = 0;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(stream: ProgressStream, clock: Clock = monotonicClock) {
    this.#stream = stream;
    this.#clock = clock;
  }

  report(event: ProgressEvent): void {
    const now = this.#clock();
    this.#state.apply(event, now);
    if (event.type === 'message') this.#printMessage(event);
    else if (event.type === 'skipped') this.#printMessage({ type: 'message', text: `${shortLabel(event.id)} skipped` });
    if (now - this.#drawnAt >= REDRAW_INTERVAL) this.#draw(now);
    else this.#drawLater(REDRAW_INTERVAL - (now - this.#drawnAt));
  }

  finish(): void {
    clearTimeout(this.#timer);
    this.#stream.write(this.#toTop() + (this.#drawnLines > 0 ? CLEAR_BELOW : ''));
    this.#drawnLines = 0;
  }

  #printMessage({ text, level }: ProgressEvent & { type: 'message' }): void {
    this.#printLine(
      level === 'warning' ? printable(warningLine(text)) : truncateDisplay(printable(text), this.#columns),
    );
  }

  #printLine(line: string): void {
    this.#stream.write(`${this.#toTop()}${line}${CLEAR_LINE_END}\n${CLEAR_BELOW}`);
    this.#drawnLines = 0;
    this.#drawnAt = Number.NEGATIVE_INFINITY;
  }

  #drawLater(delay: number): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#draw(this.#clock());
    }, delay);
    // Drawing is no reason to keep the process alive.
    this.#timer.unref();
  }

  #draw(now: number): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const lines = this.#lines(now);
    const text = lines.map((line) => `${truncateDisplay(line, this.#columns)}${CLEAR_LINE_END}\n`).join('');
    this.#stream.write(this.#toTop() + text + (lines.length < this.#drawnLines ? CLEAR_BELOW : ''));
    this.#drawnLines = lines.length;
    this.#drawnAt = now;
  }

  #lines(now: number): string[] {
    const { running } = this.#state;
    // The cursor waits on the line below the last one.
    const room = Math.max(1, (this.#stream.rows ?? 24) - 1);
    const summary = this.#state.total === undefined ? [] : [this.#summaryLine(now)];
    const forBars = room - summary.length;
    const shown = running.length <= forBars ? running : running.slice(0, Math.max(0, forBars - 1));
    const hidden = running.length - shown.length;
    const more = hidden > 0 && forBars > 0 ? [`… and ${hidden} more`] : [];
    const lines = [...shown.map((component) => this.#componentLine(component, now)), ...more, ...summary];
    const width = this.#barWidth(lines.filter((line) => typeof line !== 'string'));
    return lines.map((line) => (typeof line === 'string' ? line : renderLine(line, width)));
  }

  /** The same for all; none where there would be hardly any. */
  #barWidth(lines: readonly BarLine[]): number {
    const rooms = lines.map(({ before, after }) => this.#columns - displayWidth(before) - displayWidth(after) - 2);
    const width = Math.min(BAR_WIDTH, ...rooms);
    return width < MIN_BAR_WIDTH ? 0 : width;
  }

  #componentLine(component: Component, now: number): string | BarLine {
    const label = printable(shortLabel(component.id));
    if (component.total === undefined) {
      const turn = SPINNER.charAt(Math.floor(now / REDRAW_INTERVAL) % SPINNER.length);
      return `${eta(undefined)} ${turn} ${amount(component.fetched, component.unit)} ${label}`;
    }
    const { fetched, total, unit } = component;
    return barLine(componentRemaining(component, now), fetched, total, unit, label);
  }

  #summaryLine(now: number): BarLine {
    const { total = 0, complete, unit } = this.#state;
    const rate = this.#state.rate(now);
    const speed = rate === undefined ? '' : `, ${amount(rate, unit).trim()}/s`;
    return barLine(this.#state.remaining(now), complete, total, unit, `total${speed}`);
  }

  #toTop(): string {
    return this.#drawnLines > 0 ? `\x1b[${this.#drawnLines}A\r` : '';
  }

  /** One less than the terminal has: a full last column makes some terminals wrap. */
  get #columns(): number {
    return Math.max(1, (this.#stream.columns ?? 80) - 1);
  }
}

function barLine(seconds: number | undefined, done: number, total: number, unit: ProgressUnit, label: string): BarLine {
  const after = `${amount(done, unit)}/${amount(total, unit)}${unit === 'items' ? ' objects' : ''} ${label}`;
  return { before: eta(seconds), done, total, after };
}

function renderLine({ before, done, total, after }: BarLine, width: number): string {
  if (width === 0) return `${before} ${after}`;
  const filled = total > 0 ? Math.floor(Math.min(1, done / total) * width) : width;
  return `${before} ${'#'.repeat(filled)}${'-'.repeat(width - filled)} ${after}`;
}

function eta(seconds: number | undefined): string {
  return `[eta ${formatDuration(seconds).padStart(ETA_WIDTH)}]`;
}

function amount(count: number, unit: ProgressUnit): string {
  const text = unit === 'bytes' ? formatDecimalBytes(count) : String(Math.round(count));
  return text.padStart(AMOUNT_WIDTH);
}
