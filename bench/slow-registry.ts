import { connect, createServer, type Socket } from 'node:net';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { TestRegistry } from '../src/testing/index.js';
import { TestAuthority } from '../test/support/certificates.js';
import { buildImage } from '../test/support/oci-fixtures.js';
import { tarArchive, tarDirectory, tarFile } from '../test/support/tar-builder.js';

/** An image of 20 layers of 5 MB that do not compress. */
const LAYERS = 20;
const LAYER_BYTES = 5_000_000;
/** In each direction, as `tc qdisc add dev lo root netem delay 20ms` would make it. */
const LATENCY_MS = 20;

/** A registry with TLS behind a network with latency, with one image, `bench`. */
export interface SlowRegistry {
  readonly host: string;
  /** Its certificate authority, PEM. */
  readonly ca: string;
  readonly blobs: readonly string[];
  stop(): Promise<unknown>;
}

/** It runs in a thread: this one waits for the programs that it measures. */
export async function startSlowRegistry(): Promise<SlowRegistry> {
  const worker = new Worker(new URL(import.meta.url), { workerData: 'slow-registry' });
  const serving = await new Promise<Omit<SlowRegistry, 'stop'>>((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
  });
  return { ...serving, stop: () => worker.terminate() };
}

async function serve(): Promise<Omit<SlowRegistry, 'stop'>> {
  const authority = new TestAuthority('bench');
  const registry = await TestRegistry.start({ tls: authority.issue(['127.0.0.1']) });
  const tars = Array.from({ length: LAYERS }, (_, index) =>
    tarArchive([tarDirectory('usr'), tarFile(`usr/file-${index}`, noise(LAYER_BYTES, index))]),
  );
  const image = buildImage(tars, { compression: 'gzip' });
  for (const { bytes } of [image.config, ...image.layers]) registry.putBlob('bench', bytes);
  registry.putManifest('bench', image.manifest.bytes, { tag: 'latest' });
  const [, port = ''] = registry.host.split(':');
  const server = createServer((client) => {
    const upstream = connect({ port: Number(port), host: '127.0.0.1', noDelay: true });
    delayed(client, upstream);
    delayed(upstream, client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const blobs = image.layers.map(({ descriptor }) => descriptor.digest);
  return { host: `127.0.0.1:${address.port}`, ca: authority.cert, blobs };
}

function delayed(from: Socket, to: Socket): void {
  from.on('data', (data) => void setTimeout(() => to.writable && to.write(data), LATENCY_MS));
  from.on('end', () => void setTimeout(() => to.end(), LATENCY_MS));
  from.on('error', () => to.destroy());
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

if (!isMainThread && workerData === 'slow-registry') parentPort?.postMessage(await serve());
