/** How many transfers from registries may run at once. One more may begin while one of them ends. */
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

/** Layers that have arrived and are not stored yet hold memory: there are so many times the transfers at most. */
const UNFINISHED_PER_TRANSFER = 2;

/** What an action with a slot tells of its transfer. */
export interface RunningTransfer {
  /** Little is left of it: the next one may be asked for, which takes a while until it begins. */
  ending(): void;
  /** All has arrived, and the action goes on. */
  arrived(): void;
}

/** Transfers to one host, or all. */
interface Count {
  running: number;
  /** Those of them that end. */
  ending: number;
}

/**
 * Bounds how many transfers run at once. One object for all pulls of a process bounds them together.
 */
export class DownloadSlots {
  readonly limits: DownloadLimits;
  readonly #hosts = new Map<string, Count>();
  readonly #all: Count = { running: 0, ending: 0 };
  /** Actions that have begun and not ended. */
  #unfinished = 0;
  /** In the order in which they came. One whose host is busy lets those behind it pass. */
  readonly #waiting: Waiting[] = [];

  constructor(limits: DownloadLimits = DEFAULT_DOWNLOAD_LIMITS) {
    for (const limit of [limits.total, limits.perHost]) {
      if (!Number.isInteger(limit) || limit < 1) throw new RangeError(`not a number of transfers: ${limit}`);
    }
    this.limits = limits;
  }

  /**
   * @internal
   * Runs `action` when there is a slot for a transfer from `host`; if the signal is aborted before, not at all.
   */
  async run<T>(host: string, action: (transfer: RunningTransfer) => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#acquire(host, signal);
    let state: 'running' | 'ending' | 'arrived' = 'running';
    const ending = (): void => {
      if (state !== 'running') return;
      state = 'ending';
      for (const count of this.#countsOf(host)) count.ending++;
      this.#startNext();
    };
    const arrived = (): void => {
      if (state === 'arrived') return;
      for (const count of this.#countsOf(host)) {
        count.running--;
        if (state === 'ending') count.ending--;
      }
      state = 'arrived';
      if (this.#countOf(host).running === 0) this.#hosts.delete(host);
      this.#startNext();
    };
    try {
      return await action({ ending, arrived });
    } finally {
      this.#unfinished--;
      arrived();
      this.#startNext();
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

  #startNext(): void {
    while (this.#unfinished < UNFINISHED_PER_TRANSFER * this.limits.total) {
      const index = this.#waiting.findIndex(({ host }) => this.#hasRoom(host));
      const [next] = index < 0 ? [] : this.#waiting.splice(index, 1);
      if (next === undefined) return;
      this.#unfinished++;
      for (const count of this.#countsOf(next.host)) count.running++;
      if (!this.#isWaitedFor(next.signal)) next.signal?.removeEventListener('abort', this.#onAbort);
      next.start();
    }
  }

  #hasRoom(host: string): boolean {
    const { total, perHost } = this.limits;
    return isBelow(this.#all, total) && isBelow(this.#countOf(host), perHost);
  }

  #countOf(host: string): Count {
    return this.#hosts.get(host) ?? { running: 0, ending: 0 };
  }

  /** Those that a transfer counts in. */
  #countsOf(host: string): readonly Count[] {
    const count = this.#countOf(host);
    this.#hosts.set(host, count);
    return [this.#all, count];
  }
}

function isBelow({ running, ending }: Count, limit: number): boolean {
  return running - Math.min(ending, 1) < limit;
}
