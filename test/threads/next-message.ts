import type { Thread } from '../../src/threads/thread.js';

/** The next message of a thread. */
export function nextMessage<Message>(thread: Thread): Promise<Message> {
  return new Promise((resolve) => thread.onMessage(resolve));
}
