import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Repository } from '../../../src/composefs/repository/index.js';
import { pull } from '../../../src/oci/pull.js';
import { isolatedConfig } from './registry-support.js';

const THIS_MODULE = fileURLToPath(import.meta.url);

/** Pulls in another process, which is killed `delayMs` after it has begun. @returns whether it had come to its end. */
export async function pullAndKill(path: string, reference: string, home: string, delayMs: number): Promise<boolean> {
  const child = fork(THIS_MODULE, ['pull', path, reference, home]);
  await once(child, 'message');
  const exited = once(child, 'exit');
  setTimeout(() => child.kill('SIGKILL'), delayMs);
  await exited;
  return child.exitCode === 0;
}

if (process.argv[2] === 'pull' && process.argv[1] === THIS_MODULE) {
  const [, , , path = '', reference = '', home = ''] = process.argv;
  const repo = await Repository.open(path);
  process.send?.('begun');
  await pull(repo, reference, 'tag', { registry: { ...isolatedConfig(home), tlsVerify: false } });
  repo.close();
  process.disconnect();
}
