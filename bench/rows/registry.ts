import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEFAULT_DOWNLOAD_LIMITS } from '../../src/oci/blob/download-slots.js';
import { freshRepository, inTurns, type Row } from '../bench.js';
import { measure } from '../measure.js';
import { startSlowRegistry } from '../slow-registry.js';

/** Blobs that a pull fetches from one registry at a time. */
const CONNECTIONS = DEFAULT_DOWNLOAD_LIMITS.perHost;
const FETCH = fileURLToPath(new URL('../fetch-blobs.js', import.meta.url));

/** A registry that is far away: what a pull takes beside the transfer alone. The reference leaves transfers to skopeo. */
export const REGISTRY: readonly Row[] = [
  {
    name: 'registry',
    measure: async (bench) => {
      const certificates = mkdtempSync(join(bench.work, 'certs-'));
      const registry = await startSlowRegistry();
      try {
        const ca = join(certificates, 'ca.crt');
        writeFileSync(ca, registry.ca);
        const own = { ...bench, programs: bench.programs.filter(({ isReference }) => !isReference) };
        const line = inTurns(own, ({ command: [node = ''] }) =>
          measure([node, FETCH, registry.host, ca, String(CONNECTIONS), ...registry.blobs]),
        );
        const pulls = inTurns(own, (program) => {
          const repo = freshRepository(bench, program);
          try {
            const image = `docker://${registry.host}/bench`;
            const args = ['--insecure', '--repo', repo, 'oci', 'pull', '--cert-dir', certificates, image, 'image'];
            return measure([...program.command, ...args]);
          } finally {
            rmSync(repo, { recursive: true });
          }
        });
        return [
          { label: `registry, 20 layers of 5 MB, 20 ms: the blobs alone, ${CONNECTIONS} at once`, values: line },
          { label: 'registry, 20 layers of 5 MB, 20 ms: pull', target: '1.1 of the blobs alone', values: pulls },
        ];
      } finally {
        await registry.stop();
        rmSync(certificates, { recursive: true });
      }
    },
  },
];
