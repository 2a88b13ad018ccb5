/**
 * Pulls from a registry in memory that cuts the first reply off, as the test of a client may:
 * `node test-registry.js REPOSITORY LAYOUT TAG`.
 */

import { pull } from 'composefs-oci';
import { Repository } from 'composefs-oci/composefs';
import { TestRegistry } from 'composefs-oci/testing';

const [path = '', layout = '', tag = 'latest'] = process.argv.slice(2);
await using registry = await TestRegistry.start();
// Its images get the names that they have in the layout.
registry.addLayout('team/app', layout);
const fault = registry.addFault({ type: 'cut', afterBytes: 100 }, { path: '*/blobs/*', nth: 1 });

const { repo } = await Repository.ensure(path, { algorithm: 'sha256', insecure: true });
try {
  const { manifestDigest } = await pull(repo, registry.reference('team/app', tag), 'app', {
    // It does not speak TLS.
    registry: { tlsVerify: false },
  });
  console.log(`${manifestDigest} in spite of ${fault.hits} fault`);
} finally {
  repo.close();
}
