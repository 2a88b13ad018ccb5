import { completionScript, type Shell } from '../completion/scripts.js';
import type { Context } from '../context/context.js';

export async function completion({ output }: Context, shell: Shell): Promise<void> {
  await output.bytes([Buffer.from(completionScript(shell))]);
}
