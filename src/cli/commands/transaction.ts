import type { Context } from '../context/context.js';
import { withRepository } from '../context/open-repository.js';

/** Longer than this does not fit a timer. */
const LONG = 2 ** 31 - 1;

/** The open repository holds its shared lock, which keeps gc waiting until this process is killed. */
export async function transaction(context: Context): Promise<void> {
  await withRepository(context, async () => {
    for (;;) await new Promise((resolve) => setTimeout(resolve, LONG));
  });
}
