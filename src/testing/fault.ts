/**
 * One thing that goes wrong with a reply.
 *
 * - `status`: this status in place of the reply, with `headers` (`{ 'Retry-After': '2' }`) and an error document of
 *   `code` and `message`, or `body` as it is.
 * - `redirect`: to `location`; a function gets path and query of the request. Status 307 unless given.
 * - `disconnect`: the connection is closed before any reply.
 * - `cut`: the connection is closed after so many bytes of the body, in an orderly way or (`reset`) by RST.
 * - `cut-upload`: the connection is closed when so many bytes of the request's body have come; those count as received.
 * - `stall`: nothing comes after so many bytes of the body, but the connection stays open.
 * - `slow`: the reply begins after `delayMs`, and its body comes at `bytesPerSecond`.
 * - `corrupt`: the byte at `offset` of the resource (default: its middle) is another one; the size stays.
 * - `ignore-range`: a `Range` is ignored: 200 and the whole body.
 * - `headers`: replaces headers, or leaves out those that are `undefined`: `Content-Range`, `Content-Length`,
 *   `Docker-Content-Digest`, `Content-Type`, ….
 */
export type Fault =
  | {
      readonly type: 'status';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly code?: string;
      readonly message?: string;
      readonly body?: string | Buffer;
    }
  | {
      readonly type: 'redirect';
      /** A URL, or what makes one of the path and query of the request. */
      readonly location: string | ((pathAndQuery: string) => string);
      readonly status?: 301 | 302 | 303 | 307 | 308;
    }
  | { readonly type: 'disconnect' }
  | { readonly type: 'cut'; readonly afterBytes: number; readonly reset?: boolean }
  | { readonly type: 'cut-upload'; readonly afterBytes: number }
  | { readonly type: 'stall'; readonly afterBytes: number }
  | { readonly type: 'slow'; readonly bytesPerSecond?: number; readonly delayMs?: number }
  | { readonly type: 'corrupt'; readonly offset?: number }
  | { readonly type: 'ignore-range' }
  | { readonly type: 'headers'; readonly headers: Readonly<Record<string, string | undefined>> };

/** Which requests a fault befalls. All conditions must hold; none means every request. */
export interface FaultCondition {
  /** A text with `*` for any characters is compared with the path; a RegExp is tested on path and query. */
  readonly path?: string | RegExp;
  /** `GET`, …. */
  readonly method?: string;
  /** Whether the request has a `Range`. */
  readonly hasRange?: boolean;
  /**
   * Which of the requests that meet the other conditions, counted from 1: one number, several, or a test. Default: all.
   */
  readonly nth?: number | readonly number[] | ((n: number) => boolean);
}

/** A fault that was added to a registry. */
export interface FaultHandle {
  /** Requests that met it so far. */
  readonly hits: number;
  /** Ends it. */
  remove(): void;
}

interface Rule {
  readonly fault: Fault;
  readonly condition: FaultCondition;
  readonly pattern: RegExp | undefined;
  matched: number;
  hits: number;
}

/** What the conditions look at. */
export interface FaultSubject {
  readonly method: string;
  readonly path: string;
  readonly pathAndQuery: string;
  readonly hasRange: boolean;
}

/** The faults of a registry, in the order in which they were added. */
export class FaultPlan {
  readonly #rules = new Set<Rule>();

  add(fault: Fault, condition: FaultCondition = {}): FaultHandle {
    const pattern = typeof condition.path === 'string' ? globPattern(condition.path) : undefined;
    const rule: Rule = { fault, condition, pattern, matched: 0, hits: 0 };
    this.#rules.add(rule);
    return {
      get hits() {
        return rule.hits;
      },
      remove: () => void this.#rules.delete(rule),
    };
  }

  clear(): void {
    this.#rules.clear();
  }

  /** The faults of one request; counts it. */
  take(subject: FaultSubject): Fault[] {
    const faults: Fault[] = [];
    for (const rule of this.#rules) {
      if (!matches(rule, subject)) continue;
      rule.matched++;
      if (!isWanted(rule.condition.nth, rule.matched)) continue;
      rule.hits++;
      faults.push(rule.fault);
    }
    return faults;
  }
}

function matches({ condition, pattern }: Rule, subject: FaultSubject): boolean {
  const { path, method, hasRange } = condition;
  if (method !== undefined && method.toUpperCase() !== subject.method) return false;
  if (hasRange !== undefined && hasRange !== subject.hasRange) return false;
  if (pattern !== undefined) return pattern.test(subject.path);
  // String.search, unlike RegExp.test, does not depend on what a global expression matched before.
  return !(path instanceof RegExp) || subject.pathAndQuery.search(path) >= 0;
}

function isWanted(nth: FaultCondition['nth'], n: number): boolean {
  if (nth === undefined) return true;
  if (typeof nth === 'function') return nth(n);
  return typeof nth === 'number' ? nth === n : nth.includes(n);
}

function globPattern(glob: string): RegExp {
  const parts = glob.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's');
}
