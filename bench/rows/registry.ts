import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEFAULT_DOWNLOAD_LIMITS } from '../../src/oci/blob/download-slots.js';
import { type Bench, freshRepository, inTurns, type Line, type Row } from '../bench.js';
import { measure } from '../measure.js';
import { type SlowRegistry, type SlowRegistryOptions, startSlowRegistry } from '../slow-registry.js';

/** Layers that a pull fetches from one registry at a time. */
const CONNECTIONS = DEFAULT_DOWNLOAD_LIMITS.perHost;
const FETCH = fileURLToPath(new URL('../fetch-image.js', import.meta.url));

/** Registries that are far away: what a pull takes beside the transfer alone. The reference leaves transfers to skopeo. */
export const REGISTRY: readonly Row[] = [
  row('registry', '20 layers of 5 MB, 20 ms', {
    layerBytes: Array.from({ length: 20 }, () => 5_000_000),
    latencyMs: 20,
  }),
  // Not all of one size: they would all end at once, and the line be idle until the next ones come.
  row('registry-gigabit', '20 layers of 3 to 7 MB, 20 ms, 1 Gbit/s', {
    layerBytes: Array.from({ length: 20 }, (_, index) => 3_000_000 + index * 210_000),
    latencyMs: 20,
    megabitsPerSecond: 1000,
  }),
  row('registry-small-layers', '200 layers of 10 kB, 50 ms', {
    layerBytes: Array.from({ length: 200 }, () => 10_000),
    latencyMs: 50,
  }),
];

function row(name: string, what: string, options: SlowRegistryOptions): Row {
  return {
    name,
    measure: async (bench) => {
      const registry = await startSlowRegistry(options);
      const certificates = mkdtempSync(join(bench.work, 'certs-'));
      try {
        const ca = join(certificates, 'ca.crt');
        writeFileSync(ca, registry.ca);
        return lines(what, bench, registry, ca);
      } finally {
        await registry.stop();
        rmSync(certificates, { recursive: true });
      }
    },
  };
}

function lines(what: string, bench: Bench, registry: SlowRegistry, ca: string): Line[] {
  const own = { ...bench, programs: bench.programs.filter(({ isReference }) => !isReference) };
  const line = inTurns(own, ({ command: [node = ''] }) =>
    measure([node, FETCH, registry.host, ca, String(CONNECTIONS)]),
  );
  const pulls = inTurns(own, (program) => {
    const repo = freshRepository(bench, program);
    try {
      const image = `docker://${registry.host}/bench`;
      const args = ['--insecure', '--repo', repo, 'oci', 'pull', '--cert-dir', join(ca, '..'), image, 'image'];
      return measure([...program.command, ...args]);
    } finally {
      rmSync(repo, { recursive: true });
    }
  });
  return [
    { label: `registry, ${what}: the transfer alone`, values: line },
    { label: `registry, ${what}: pull`, target: '1.1 of the transfer alone', values: pulls },
  ];
}
