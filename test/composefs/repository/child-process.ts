import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { ObjectStore, Repository } from '../../../src/composefs/repository/index.js';
import { testData, treeOf, writeStream } from './temp-repository.js';

/**
 * Another process at work in a repository: this module is its program and also what starts it. It says `open` when it
 * has the lock.
 *
 * - `store`: stores objects, streams and images, always the same ones, then ends.
 * - `store-forever`: stores new objects and streams until it is killed.
 * - `hold`: keeps the repository open until it is killed.
 */
export type ChildWork = 'store' | 'store-forever' | 'hold';

/** How often `store` stores. */
export const STORE_ROUNDS = 10;

const THIS_MODULE = fileURLToPath(import.meta.url);

/** Resolves when the process has opened the repository. */
export async function startChild(work: ChildWork, path: string, forceNamedTempFiles = false): Promise<ChildProcess> {
  const child = fork(THIS_MODULE, [work, path, String(forceNamedTempFiles)]);
  await once(child, 'message');
  return child;
}

/** Resolves when the process has ended: with its status, null if it was killed. */
export async function childStatus(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode;
}

export async function killChild(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await childStatus(child);
}

async function main(work: string, path: string, forceNamedTempFiles: boolean): Promise<void> {
  const { repo } = await Repository.init(path, { algorithm: 'sha512', insecure: true });
  process.send?.('open');
  const store = new ObjectStore({ ...repo.objects.options, forceNamedTempFiles });
  if (work === 'hold') setInterval(() => undefined, 1000);
  for (let round = 0; work === 'store-forever'; round++) await storeRound(repo, store, `${process.pid}-${round}`);
  if (work === 'store') {
    for (let round = 0; round < STORE_ROUNDS; round++) await storeRound(repo, store, String(round));
    repo.close();
    process.disconnect();
  }
}

/** A large object from a stream, small ones, a stream and an image of them, all named. */
async function storeRound(repo: Repository, store: ObjectStore, name: string): Promise<void> {
  const label = Buffer.from(name);
  const large = store.ensureObjectFromChunks([label, testData(400_000, 1)]);
  const small = Array.from({ length: 10 }, (_, i) => store.storeObject(Buffer.concat([label, testData(1000, i)])));
  const objects = [large, ...small].map(({ id }) => id);
  await writeStream(repo, `stream-${name}`, { objects, ref: `refs-of/${name}` });
  await repo.commitImage(treeOf(large, ...small), `image-${name}`);
}

if (process.argv[1] === THIS_MODULE) {
  const [, , work = '', path = '', named = ''] = process.argv;
  await main(work, path, named === 'true');
}
