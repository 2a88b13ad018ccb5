import { untilAborted } from '../../threads/until-aborted.js';
import type { HttpConnection } from './http-connection.js';

/** Connections that wait for further requests, to one place. */
const MAX_IDLE = 8;

/** Connections that are open, or about to be, and have no request. Places have names here. */
export class ConnectionPool {
  readonly #idle = new Map<string, HttpConnection[]>();
  readonly #opening = new Map<string, Promise<HttpConnection | undefined>[]>();
  readonly #closing = new AbortController();

  /** Aborted when no connection is wanted any more. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** A connection for a request; undefined if there is none. @throws the signal's reason. */
  async take(place: string, signal: AbortSignal | undefined): Promise<HttpConnection | undefined> {
    const idle = this.#takeIdle(place);
    if (idle !== undefined) return idle;
    for (;;) {
      const opening = this.#opening.get(place)?.shift();
      if (opening === undefined) return undefined;
      try {
        const connection = await untilAborted(opening, signal);
        if (connection !== undefined && makesReady(connection)) return connection;
      } catch (error) {
        void opening.then((connection) => connection?.destroy());
        throw error;
      }
    }
  }

  /** Takes over a connection whose request is answered. */
  release(place: string, connection: HttpConnection): void {
    const connections = this.#idle.get(place) ?? [];
    if (this.closing.aborted || !connection.isReusable || connections.length >= MAX_IDLE) {
      connection.destroy();
      return;
    }
    connection.idle(true);
    connections.push(connection);
    this.#idle.set(place, connections);
  }

  /** Takes over a connection that is being made for requests to come. They make their own if this one fails. */
  prepare(place: string, connection: Promise<HttpConnection>): void {
    const opening = connection.then(
      (opened) => {
        if (this.closing.aborted) opened.destroy();
        // It does not keep the process alive.
        else opened.idle(true);
        return opened;
      },
      () => undefined,
    );
    this.#opening.set(place, [...(this.#opening.get(place) ?? []), opening]);
  }

  /** Closes what has no request; requests under way go on. */
  close(): void {
    this.#closing.abort();
    for (const connection of [...this.#idle.values()].flat()) connection.destroy();
    this.#idle.clear();
    for (const opening of [...this.#opening.values()].flat()) void opening.then((connection) => connection?.destroy());
    this.#opening.clear();
  }

  #takeIdle(place: string): HttpConnection | undefined {
    const connections = this.#idle.get(place);
    for (;;) {
      const connection = connections?.pop();
      if (connection === undefined || makesReady(connection)) return connection;
    }
  }
}

/** Closes one that can take no request. */
function makesReady(connection: HttpConnection): boolean {
  if (connection.isReusable) connection.idle(false);
  else connection.destroy();
  return connection.isReusable;
}
