/** Milliseconds. Plain data. */
export interface HttpTimeouts {
  /** Until the connection stands, with TLS and through a proxy, and the request is on its way. */
  readonly connectMs: number;
  /** From then on until the answer begins. */
  readonly headersMs: number;
  /** Between two pieces of a body. */
  readonly idleMs: number;
  /** For a body that is read as a whole: manifests, tokens, configs. */
  readonly totalMs: number;
  /** The least that a body has to bring, in bytes per second on the average of {@link rateMs}; 0: any rate will do. */
  readonly minBytesPerSecond: number;
  /** Time that the reader needs is not counted. */
  readonly rateMs: number;
}

export const DEFAULT_TIMEOUTS: HttpTimeouts = {
  connectMs: 30_000,
  headersMs: 60_000,
  idleMs: 60_000,
  totalMs: 300_000,
  minBytesPerSecond: 1024,
  rateMs: 60_000,
};
