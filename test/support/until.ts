import { setTimeout } from 'node:timers/promises';

/** Waits until the condition holds, which is asked every 20 ms; false if it does not within ten seconds. */
export async function until(condition: () => boolean): Promise<boolean> {
  for (let attempt = 0; attempt < 500; attempt++) {
    if (condition()) return true;
    await setTimeout(20);
  }
  return condition();
}
