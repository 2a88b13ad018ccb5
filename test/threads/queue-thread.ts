import { SharedQueue, type SharedQueueReference } from '../../src/threads/shared-queue.js';
import { postToStarter, threadData } from '../../src/threads/thread-side.js';

/** Takes all that it gets of a queue, and says what that was. */
const queue = new SharedQueue(threadData<SharedQueueReference>());
const taken: number[] = [];
for (let number = queue.take(); number !== undefined; number = queue.take()) {
  taken.push(number);
  queue.finishOne();
}
postToStarter(taken);
