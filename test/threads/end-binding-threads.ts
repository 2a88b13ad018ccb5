import { setTimeout as sleep } from 'node:timers/promises';
import { Thread } from '../../src/threads/thread.js';
import { nextMessage } from './next-message.js';

/**
 * The program of a process that ends threads while they load or bind, so often, then itself with a thread that binds.
 * It would be aborted if a thread could be ended at any moment.
 */
const rounds = Number(process.argv[2]);
for (let round = 0; round < rounds; round++) {
  const thread = await start(round % 2 === 0);
  await sleep((round % 4) / 2);
  await thread.end();
}
await start(true);
process.exit(0);

async function start(forever: boolean): Promise<Thread> {
  const thread = new Thread(new URL('./binding-thread.js', import.meta.url), { data: { forever } });
  await nextMessage(thread);
  return thread;
}
