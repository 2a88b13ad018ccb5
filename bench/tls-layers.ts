import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { TestRegistry } from '../src/testing/index.js';
import { TestAuthority } from '../test/support/certificates.js';
import { buildImage } from '../test/support/oci-fixtures.js';
import { tarArchive, tarDirectory, tarFile } from '../test/support/tar-builder.js';
import { type Measurement, measure, median } from './measure.js';

/**
 * Times pulls of an image of 20 layers of 5 MB from a registry with TLS behind a network with 20 ms of latency in each
 * direction, as `tc qdisc add dev lo root netem delay 20ms` would make it; and counts the connections.
 *
 *     node dist/bench/tls-layers.js [CFSCTL.js...]
 *
 * Several builds take turns. `COMPOSEFS_BENCH_RUNS` (5) sets the number of runs, whose medians are printed;
 * `COMPOSEFS_BENCH_LATENCY` the milliseconds, `COMPOSEFS_BENCH_LAYERS` the number of layers; `COMPOSEFS_BENCH_DIR` where the
 * repositories are.
 */

const LATENCY_MS = Number(process.env['COMPOSEFS_BENCH_LATENCY'] ?? 20);
const LAYERS = Number(process.env['COMPOSEFS_BENCH_LAYERS'] ?? 20);
const LAYER_BYTES = 5_000_000;

interface Serving {
  readonly port: number;
  readonly ca: string;
}

/** The registry and the network before it, in a thread: the other one waits for the pulls. */
async function serve(counter: Int32Array): Promise<Serving> {
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
    Atomics.add(counter, 0, 1);
    const upstream = connect({ port: Number(port), host: '127.0.0.1', noDelay: true });
    delayed(client, upstream);
    delayed(upstream, client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, ca: authority.cert };
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

async function bench({ port, ca }: Serving, counter: Int32Array): Promise<void> {
  const runs = Number(process.env['COMPOSEFS_BENCH_RUNS'] ?? 5);
  const own = fileURLToPath(new URL('../bin/cfsctl.js', import.meta.url));
  const builds = process.argv.length > 2 ? process.argv.slice(2) : [own];
  const work = mkdtempSync(join(process.env['COMPOSEFS_BENCH_DIR'] ?? tmpdir(), 'composefs-bench-'));
  try {
    const certificates = join(work, 'certs');
    mkdirSync(certificates);
    writeFileSync(join(certificates, 'ca.crt'), ca);
    const results = builds.map((build) => ({ build, measurements: [] as Measurement[], connections: [] as number[] }));
    for (let run = 0; run < runs; run++) {
      for (const { build, measurements, connections } of results) {
        const program = [process.execPath, build, '--insecure', '--repo', join(work, 'repository')];
        measure([...program, 'init']);
        Atomics.store(counter, 0, 0);
        const image = `docker://127.0.0.1:${port}/bench`;
        measurements.push(measure([...program, 'oci', 'pull', '--cert-dir', certificates, image, 'image']));
        connections.push(Atomics.load(counter, 0));
        rmSync(join(work, 'repository'), { recursive: true });
      }
    }
    console.log(`${LAYERS} layers of ${LAYER_BYTES / 1e6} MB, ${LATENCY_MS} ms each way; medians of ${runs}\n`);
    for (const { build, measurements, connections } of results) {
      const { wall, cpu, peakMiB } = median(measurements);
      console.log(
        `${build}: ${wall.toFixed(2)} s, ${cpu.toFixed(2)} s of CPU, ${peakMiB.toFixed(0)} MiB, ` +
          `${connections.join('/')} connections`,
      );
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

if (isMainThread) {
  const counter = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL(import.meta.url));
  worker.postMessage(counter);
  const serving = await new Promise<Serving>((resolve, reject) =>
    worker.once('message', resolve).once('error', reject),
  );
  await bench(serving, counter);
  await worker.terminate();
} else {
  parentPort?.once('message', async (counter: Int32Array) => parentPort?.postMessage(await serve(counter)));
}
