import type { ComponentId, ProgressEvent } from '../../progress.js';
import { renderJsonLine } from '../terminal/output.js';
import { type Clock, monotonicClock, type ProgressDisplay, type ProgressStream } from './display.js';

/** Milliseconds between two `progress` events of one component; the exact end is in its `done`. */
const EVENT_INTERVAL = 100;

/** For programs: every event as one line of JSON. */
export class JsonLinesProgress implements ProgressDisplay {
  readonly #stream: ProgressStream;
  readonly #clock: Clock;
  readonly #reportedAt = new Map<ComponentId, number>();

  constructor(stream: ProgressStream, clock: Clock = monotonicClock) {
    this.#stream = stream;
    this.#clock = clock;
  }

  report(event: ProgressEvent): void {
    if (event.type === 'progress') {
      const now = this.#clock();
      if (now - (this.#reportedAt.get(event.id) ?? Number.NEGATIVE_INFINITY) < EVENT_INTERVAL) return;
      this.#reportedAt.set(event.id, now);
    } else if (event.type === 'done') {
      this.#reportedAt.delete(event.id);
    }
    this.#stream.write(renderJsonLine(event));
  }

  finish(): void {}
}
