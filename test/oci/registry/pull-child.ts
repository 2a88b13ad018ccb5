import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Repository } from '../../../src/composefs/repository/index.js';
import { pull } from '../../../src/oci/import/pull.js';
import { isolatedConfig } from './registry-support.js';

const THIS_MODULE = fileURLToPath(import.meta.url);

/** Pulls in another process, which is killed (SIGKILL) so long after it has begun, or not at all. */
export async function pullAndKill(
  path: string,
  reference: string,
  home: string,
  delayMs?: number,
): Promise<{ isComplete: boolean; milliseconds: number }> {
  const child = fork(THIS_MODULE, ['pull', path, reference, home]);
  await once(child, 'message');
  const start = performance.now();
  const exited = once(child, 'exit');
  const timer = delayMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), delayMs);
  await exited;
  clearTimeout(timer);
  return { isComplete: child.exitCode === 0, milliseconds: performance.now() - start };
}

if (process.argv[2] === 'pull' && process.argv[1] === THIS_MODULE) {
  const [, , , path = '', reference = '', home = ''] = process.argv;
  const repo = await Repository.open(path);
  process.send?.('begun');
  await pull(repo, reference, 'tag', { registry: { ...isolatedConfig(home), tlsVerify: false } });
  repo.close();
  process.disconnect();
}
