import type { ProgressEvent, ProgressUnit } from '../../progress.js';
import { printLines } from '../terminal/terminal-text.js';
import { warningLine } from '../terminal/warning.js';
import { type Clock, monotonicClock, type ProgressDisplay, type ProgressStream } from './display.js';
import { formatDecimalBytes, formatDuration } from './format.js';
import { TransferState } from './transfer-state.js';

/** Milliseconds between two lines. */
const LINE_INTERVAL = 5000;

export interface PlainProgressOptions {
  /** Whether to print messages as they come; else only warnings and the summary lines appear. */
  readonly messages: boolean;
  readonly clock?: Clock;
}

/** For logs: a line about the whole every five seconds, so that short transfers print nothing. */
export class PlainProgress implements ProgressDisplay {
  readonly #stream: ProgressStream;
  readonly #messages: boolean;
  readonly #clock: Clock;
  readonly #state = new TransferState();
  #printedAt: number;

  constructor(stream: ProgressStream, options: PlainProgressOptions) {
    this.#stream = stream;
    this.#messages = options.messages;
    this.#clock = options.clock ?? monotonicClock;
    this.#printedAt = this.#clock();
  }

  report(event: ProgressEvent): void {
    const now = this.#clock();
    this.#state.apply(event, now);
    if (event.type === 'message') this.#print(event);
    if (now - this.#printedAt < LINE_INTERVAL) return;
    this.#printedAt = now;
    this.#stream.write(printLines([this.#summary(now)]));
  }

  finish(): void {}

  #print({ text, level }: ProgressEvent & { type: 'message' }): void {
    if (level === 'warning') this.#stream.write(printLines([warningLine(text)]));
    else if (this.#messages) this.#stream.write(printLines([text]));
  }

  #summary(now: number): string {
    const { total, complete, unit, finished, running } = this.#state;
    const whole = total === undefined ? '' : `/${amount(total, unit)}`;
    const percent = total === undefined || total === 0 ? [] : [`${Math.floor((100 * complete) / total)}%`];
    const rate = this.#state.rate(now);
    const remaining = this.#state.remaining(now);
    return [
      ...percent,
      `${amount(complete, unit)}${whole}`,
      ...(rate === undefined ? [] : [`${amount(rate, unit)}/s`]),
      ...(remaining === undefined ? [] : [`${formatDuration(remaining)} left`]),
      `${running.length} running`,
      `${finished} done`,
    ].join(', ');
  }
}

function amount(count: number, unit: ProgressUnit): string {
  return unit === 'bytes' ? formatDecimalBytes(count) : `${Math.round(count)} objects`;
}
