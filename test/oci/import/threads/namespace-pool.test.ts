import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { NamespacePool } from '../../../../src/oci/import/threads/namespace-pool.js';
import { parseOciDigest } from '../../../../src/oci/model/digest.js';
import { userNamespaceLauncher } from '../../../../src/system/user-namespace.js';
import { tempDir, tempRepository } from '../../../composefs/repository/temp-repository.js';

function reasonToSkip(): string | false {
  try {
    userNamespaceLauncher();
    return false;
  } catch {
    return 'no user namespace can be made';
  }
}

/** The processes that this one has started. */
function children(): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ')[1] === String(process.pid);
    } catch {
      return false;
    }
  });
}

test('after its process has died, the next task has one of its own', { skip: reasonToSkip() }, async (context) => {
  const pool = new NamespacePool();
  context.after(() => pool.close());
  const store = (await tempRepository(context)).objects.options;
  const place = { root: tempDir(context), driver: 'overlay', layerId: 'none' } as const;
  const location = { ...place, tarSize: 1, zeroCopy: false, inNamespace: true, mayChange: false };
  const diffId = parseOciDigest(`sha256:${'0'.repeat(64)}`);
  const input = { store, location, diffId, blobSize: 1, limits: undefined };
  const before = new Set(children());
  const first = pool.storeFiles(input, {});
  for (const pid of children()) if (!before.has(pid)) process.kill(pid, 'SIGKILL');
  await assert.rejects(first, {
    code: 'NAMESPACE_PROCESS',
    message: 'the process in the user namespace has failed: it ended with SIGKILL',
    hint: 'pull the image with --via skopeo',
  });
  // That one says what is wrong with the directory, which is no store.
  await assert.rejects(pool.storeFiles(input, {}), { code: 'INVALID_STORE' });
});
