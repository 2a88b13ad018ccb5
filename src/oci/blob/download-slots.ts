/** How many transfers from registries may run at once. */
export interface DownloadLimits {
  /** Transfers of layers at once, in all. */
  readonly total: number;
  /** To one registry. */
  readonly perHost: number;
}

/** podman's number in all; less than browsers take for one host. */
export const DEFAULT_DOWNLOAD_LIMITS: DownloadLimits = { total: 6, perHost: 4 };

interface Waiting {
  readonly host: string;
  readonly signal: AbortSignal | undefined;
  readonly start: () => void;
  readonly abort: (reason: unknown) => void;
}

/**
 * Bounds how many transfers run at once. One object for all pulls of a process bounds them together.
 */
export class DownloadSlots {
  readonly limits: DownloadLimits;
  readonly #running = new Map<string, number>();
  #total = 0;
  /** In the order in which they came. One whose host is busy lets those behind it pass. */
  readonly #waiting: Waiting[] = [];

  constructor(limits: DownloadLimits = DEFAULT_DOWNLOAD_LIMITS) {
    for (const limit of [limits.total, limits.perHost]) {
      if (!Number.isInteger(limit) || limit < 1) throw new RangeError(`not a number of transfers: ${limit}`);
    }
    this.limits = limits;
  }

  /** Runs `action` when there is a slot for a transfer from `host`; if the signal is aborted before, not at all. */
  async run<T>(host: string, action: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#acquire(host, signal);
    try {
      return await action();
    } finally {
      this.#release(host);
    }
  }

  #acquire(host: string, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    return new Promise((start, abort) => {
      const isFirst = !this.#isWaitedFor(signal);
      this.#waiting.push({ host, signal, start, abort });
      // One listener for all that wait: Node warns of more than ten, and an image can have any number of layers.
      if (isFirst) signal?.addEventListener('abort', this.#onAbort, { once: true });
      this.#startNext();
    });
  }

  readonly #onAbort = ({ target: signal }: Event): void => {
    const aborted = this.#waiting.filter((waiting) => waiting.signal === signal);
    for (const waiting of aborted) {
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.abort(waiting.signal?.reason);
    }
  };

  #isWaitedFor(signal: AbortSignal | undefined): boolean {
    return this.#waiting.some((waiting) => waiting.signal === signal);
  }

  #release(host: string): void {
    this.#total -= 1;
    const left = this.#count(host) - 1;
    if (left === 0) this.#running.delete(host);
    else this.#running.set(host, left);
    this.#startNext();
  }

  #startNext(): void {
    const { total, perHost } = this.limits;
    while (this.#total < total) {
      const index = this.#waiting.findIndex(({ host }) => this.#count(host) < perHost);
      const [next] = index < 0 ? [] : this.#waiting.splice(index, 1);
      if (next === undefined) return;
      this.#total += 1;
      this.#running.set(next.host, this.#count(next.host) + 1);
      if (!this.#isWaitedFor(next.signal)) next.signal?.removeEventListener('abort', this.#onAbort);
      next.start();
    }
  }

  #count(host: string): number {
    return this.#running.get(host) ?? 0;
  }
}
