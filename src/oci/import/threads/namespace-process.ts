import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { openState, type RootReference } from '../../../composefs/repository/directory/root.js';
import { ComposefsError } from '../../../errors.js';
import { exitNow } from '../../../linux/process.js';
import type { ProgressEvent } from '../../../progress.js';
import { packError } from '../../../threads/error-transfer.js';
import { importPool } from './import-pool.js';
import type { ForeignStoreFilesInput, FromNamespace, RepositoryPlace, ToNamespace } from './namespace-protocol.js';
import { OwnThreadPool } from './own-thread-pool.js';

/**
 * A process in the user namespace of a store (spec 60 §17), where the files of all ids can be read: a `NamespacePool`
 * starts it. It makes objects of them itself, in the repository of the user, who is root here; only the results go back.
 * It ends with the connection to the process that started it.
 */
const pool = new OwnThreadPool(importPool());
const running = new Map<number, AbortController>();

process.on('message', (message: ToNamespace) => {
  if (message.type === 'abort') running.get(message.id)?.abort();
  else void run(message.id, message.input);
});
process.on('disconnect', () => exitNow(0));
// Of the terminal: whoever started this one hears it, too, and says what is to be done.
process.on('SIGINT', () => undefined);
send({ type: 'ready' });

async function run(id: number, { repository, ...input }: ForeignStoreFilesInput): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  const onProgress = (event: ProgressEvent): void => send({ type: 'progress', id, event });
  try {
    const root = openRepository(repository);
    try {
      const store = { ...input.store, root };
      const output = await pool.run('store-files', { ...input, store }, { signal: controller.signal, onProgress });
      send({ type: 'done', id, output });
    } finally {
      closeSync(root.fd);
    }
  } catch (error) {
    send({ type: 'failed', id, error: packError(error) });
  } finally {
    running.delete(id);
  }
}

function openRepository({ path, device, inode, allowForeignOwner }: RepositoryPlace): RootReference {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  const { dev, ino } = fstatSync(fd, { bigint: true });
  if (dev === device && ino === inode) return { path, fd, state: openState(), allowForeignOwner };
  closeSync(fd);
  throw new ComposefsError('REPOSITORY_NOT_FOUND', `${path} is another directory in the user namespace`);
}

function send(message: FromNamespace): void {
  process.send?.(message);
}
