import type { ComponentId, ProgressEvent, ProgressUnit } from '../../progress.js';

/** Rates are measured over this time, in milliseconds. */
const RATE_WINDOW = 5000;
const SAMPLE_INTERVAL = 100;

export interface Component {
  readonly id: ComponentId;
  readonly unit: ProgressUnit;
  readonly startedAt: number;
  /** From an earlier time: no measure of the speed. */
  readonly present: number;
  total: number | undefined;
  fetched: number;
}

interface Sample {
  readonly time: number;
  readonly amount: number;
}

/** Adds up progress events: what runs, how much of the whole is there, how fast it goes. Times in milliseconds. */
export class TransferState {
  readonly #running = new Map<ComponentId, Component>();
  #samples: Sample[] = [];
  #plan: { readonly total: number; readonly present: number; readonly unit: ProgressUnit } | undefined;
  #transferred = 0;
  /** What components that are done now had from an earlier time. */
  #presentBefore = 0;
  #finished = 0;

  apply(event: ProgressEvent, now: number): void {
    switch (event.type) {
      case 'plan':
        this.#plan = event;
        break;
      case 'started':
        this.#running.set(event.id, {
          id: event.id,
          unit: event.unit,
          startedAt: now,
          present: event.present ?? 0,
          total: event.total,
          fetched: 0,
        });
        break;
      case 'progress': {
        const component = this.#running.get(event.id);
        if (component === undefined) return;
        component.fetched = event.fetched;
        component.total = event.total ?? component.total;
        break;
      }
      case 'skipped':
        this.#running.delete(event.id);
        this.#finished += 1;
        break;
      case 'done': {
        const component = this.#running.get(event.id);
        if (component === undefined) return;
        this.#running.delete(event.id);
        this.#presentBefore += component.present;
        this.#transferred += event.transferred;
        this.#finished += 1;
        break;
      }
      default:
        return;
    }
    this.#sample(now);
  }

  /** Oldest first. */
  get running(): readonly Component[] {
    return [...this.#running.values()];
  }

  get finished(): number {
    return this.#finished;
  }

  get unit(): ProgressUnit {
    return this.#plan?.unit ?? this.running[0]?.unit ?? 'bytes';
  }

  /** Of the whole, where a plan was announced. */
  get total(): number | undefined {
    return this.#plan?.total;
  }

  /** How much of the whole is there, with what was present before. */
  get complete(): number {
    const complete = (this.#plan?.present ?? 0) + this.#moved();
    return this.total === undefined ? complete : Math.min(complete, this.total);
  }

  /** Per second, over the last seconds; undefined before anything can be said. */
  rate(now: number): number | undefined {
    const first = this.#samples[0];
    if (first === undefined || now - first.time < 2 * SAMPLE_INTERVAL) return undefined;
    return (Math.max(0, this.#newly() - first.amount) * 1000) / (now - first.time);
  }

  /** Seconds that the rest takes at the present rate. */
  remaining(now: number): number | undefined {
    const rate = this.rate(now);
    if (this.total === undefined || rate === undefined || rate === 0) return undefined;
    return (this.total - this.complete) / rate;
  }

  #moved(): number {
    let amount = this.#transferred;
    for (const component of this.#running.values()) amount += component.fetched;
    return amount;
  }

  /** {@link #moved} without what was there from an earlier time. */
  #newly(): number {
    let present = this.#presentBefore;
    for (const component of this.#running.values()) present += Math.min(component.fetched, component.present);
    return this.#moved() - present;
  }

  #sample(now: number): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && now - last.time < SAMPLE_INTERVAL) return;
    this.#samples.push({ time: now, amount: this.#newly() });
    // The newest sample outside the window stays, so that the window is always covered.
    while ((this.#samples[1]?.time ?? Number.POSITIVE_INFINITY) <= now - RATE_WINDOW) this.#samples.shift();
  }
}

/** Seconds until a component is complete, at its average rate. */
export function componentRemaining(component: Component, now: number): number | undefined {
  const elapsed = (now - component.startedAt) / 1000;
  const newly = component.fetched - component.present;
  if (component.total === undefined || newly <= 0 || elapsed <= 0) return undefined;
  return (Math.max(0, component.total - component.fetched) * elapsed) / newly;
}
