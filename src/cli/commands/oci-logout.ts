import { logout, parseLoginTarget } from '../../index.js';
import type { Context } from '../context/context.js';
import { registryConfig } from '../context/registry-options.js';
import { parseArgumentValue, UsageError } from '../context/usage-error.js';
import { printToStderr } from '../terminal/warning.js';

export interface OciLogoutOptions {
  readonly all?: boolean;
  readonly authfile?: string;
}

export async function ociLogout(
  context: Context,
  registry: string | undefined,
  options: OciLogoutOptions,
): Promise<void> {
  const isAll = options.all === true;
  if (isAll && registry !== undefined) {
    throw new UsageError("the argument '--all' cannot be used with '[REGISTRY]'");
  }
  if (!isAll && registry === undefined) {
    throw new UsageError('the following required arguments were not provided:', { lines: ['<REGISTRY>'] });
  }
  const target = registry === undefined ? 'all' : parseArgumentValue('<REGISTRY>', registry, parseLoginTarget);
  const removed = await logout(target, registryConfig(options));
  const what = target === 'all' ? 'all registries' : target.key;
  await context.output.line(`Removed login credentials for ${what}`);
  if (process.stderr.isTTY) printToStderr(...removed.map((place) => `  ${place}`));
}
