import { connect, createServer, type Socket } from 'node:net';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { TestRegistry } from '../src/testing/index.js';
import { TestAuthority } from '../test/support/certificates.js';
import { buildImage } from '../test/support/oci-fixtures.js';
import { tarArchive, tarDirectory, tarFile } from '../test/support/tar-builder.js';

/** A registry and the network before it. Its layers do not compress. */
export interface SlowRegistryOptions {
  /** The size of each layer. */
  readonly layerBytes: readonly number[];
  /** In each direction, as `tc qdisc add dev lo root netem delay` would make it. */
  readonly latencyMs: number;
  /** What all connections together bring at most; by default as much as this machine can do. */
  readonly megabitsPerSecond?: number;
}

/** What Linux lets be on its way in one connection at most: a server waits with more. */
const MAX_WINDOW_BYTES = 6 << 20;

/** A registry with TLS behind a network with latency, with one image, `bench`. */
export interface SlowRegistry {
  readonly host: string;
  /** Its certificate authority, PEM. */
  readonly ca: string;
  stop(): Promise<unknown>;
}

/** It runs in a thread: this one waits for the programs that it measures. */
export async function startSlowRegistry(options: SlowRegistryOptions): Promise<SlowRegistry> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { slowRegistry: options } });
  const serving = await new Promise<Omit<SlowRegistry, 'stop'>>((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
  });
  return { ...serving, stop: () => worker.terminate() };
}

async function serve(options: SlowRegistryOptions): Promise<Omit<SlowRegistry, 'stop'>> {
  const authority = new TestAuthority('bench');
  const registry = await TestRegistry.start({ tls: authority.issue(['127.0.0.1']) });
  const tars = options.layerBytes.map((bytes, index) =>
    tarArchive([tarDirectory('usr'), tarFile(`usr/file-${index}`, noise(bytes, index))]),
  );
  const image = buildImage(tars, { compression: 'gzip' });
  for (const { bytes } of [image.config, ...image.layers]) registry.putBlob('bench', bytes);
  registry.putManifest('bench', image.manifest.bytes, { tag: 'latest' });
  const [, port = ''] = registry.host.split(':');
  const up = new Line(options);
  const down = new Line(options);
  const server = createServer((client) => {
    const upstream = connect({ port: Number(port), host: '127.0.0.1', noDelay: true });
    up.carry(client, upstream);
    down.carry(upstream, client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { host: `127.0.0.1:${address.port}`, ca: authority.cert };
}

/** One direction of the network, which all connections share. */
class Line {
  readonly #latencyMs: number;
  readonly #bytesPerMs: number;
  /** Of one connection: a few of them fill the line, and do not fill queues on their way. */
  readonly #windowBytes: number;
  /** When the last byte that was sent so far is through. */
  #busyUntil = 0;
  /** In the order in which they happen. */
  readonly #arrivals: { readonly at: number; readonly action: () => void }[] = [];

  constructor({ latencyMs, megabitsPerSecond = Number.POSITIVE_INFINITY }: SlowRegistryOptions) {
    this.#latencyMs = latencyMs;
    this.#bytesPerMs = (megabitsPerSecond * 1e6) / 8 / 1000;
    this.#windowBytes = Math.min(MAX_WINDOW_BYTES, this.#bytesPerMs * latencyMs);
  }

  carry(from: Socket, to: Socket): void {
    let onTheWay = 0;
    from.on('data', (data: Buffer) => {
      onTheWay += data.length;
      if (onTheWay > this.#windowBytes) from.pause();
      this.#later(data.length, () => {
        onTheWay -= data.length;
        from.resume();
        if (to.writable) to.write(data);
      });
    });
    from.on('end', () => this.#later(0, () => to.end()));
    from.on('error', () => to.destroy());
  }

  #later(bytes: number, action: () => void): void {
    this.#busyUntil = Math.max(performance.now(), this.#busyUntil) + bytes / this.#bytesPerMs;
    this.#arrivals.push({ at: this.#busyUntil + this.#latencyMs, action });
    if (this.#arrivals.length === 1) this.#wait();
  }

  #wait(): void {
    const [next] = this.#arrivals;
    if (next !== undefined) setTimeout(() => this.#arrive(), next.at - performance.now());
  }

  #arrive(): void {
    const now = performance.now();
    const later = this.#arrivals.findIndex(({ at }) => at > now);
    const arrived = this.#arrivals.splice(0, later < 0 ? this.#arrivals.length : later);
    for (const { action } of arrived) action();
    this.#wait();
  }
}

/** Incompressible, and the same each time. */
function noise(size: number, seed: number): Buffer {
  const data = Buffer.alloc(size);
  let state = seed + 1;
  for (let offset = 0; offset + 4 <= size; offset += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    data.writeUInt32LE((state ^ (state >>> 13)) >>> 0, offset);
  }
  return data;
}

function optionsOf(data: unknown): SlowRegistryOptions | undefined {
  if (isMainThread || typeof data !== 'object' || data === null || !('slowRegistry' in data)) return undefined;
  return data.slowRegistry as SlowRegistryOptions;
}

const options = optionsOf(workerData);
if (options !== undefined) parentPort?.postMessage(await serve(options));
