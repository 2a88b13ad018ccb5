import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { findInPath } from './programs.js';

/** For `skip` of tests: a reason where skopeo is not installed. */
export const withoutSkopeo: string | false = findInPath('skopeo') === undefined ? 'skopeo is not installed' : false;

const run = promisify(execFile);

/** Runs skopeo, without a signature policy, while this process goes on: it may be the server that skopeo talks to. */
export async function skopeo(...args: readonly string[]): Promise<string> {
  const { stdout } = await run('skopeo', ['--insecure-policy', ...args]);
  return stdout;
}
