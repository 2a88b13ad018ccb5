import { reserveDescriptors } from '../../src/linux/descriptor-table.js';
import { onMessage, postToStarter } from '../../src/threads/thread-side.js';

/** Begins to reserve descriptors, and computes on. */
onMessage((fd: number) => {
  void reserveDescriptors(fd, 1000);
  postToStarter('reserving');
  for (const start = performance.now(); performance.now() - start < 400; );
});
