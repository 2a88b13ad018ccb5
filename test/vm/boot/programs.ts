import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Programs in PATH, or where an ordinary user's PATH does not lead. */
export function findTool(name: string): string | undefined {
  return [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin']
    .map((directory) => join(directory, name))
    .find((path) => existsSync(path));
}

/** Runs a program to its end and returns what it printed. @throws with its messages if it fails. */
export function runTool(name: string, args: readonly string[], timeout = 600_000): string {
  const program = findTool(name);
  if (program === undefined) throw new Error(`${name} is not installed`);
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    timeout,
    maxBuffer: 1 << 30,
    env: { ...process.env, LC_ALL: 'C' },
  });
  if (error !== undefined) throw error;
  if (status !== 0)
    throw new Error(`${name} ${args.join(' ')} failed (${status}):\n${stdout.slice(-4000)}${stderr.slice(-4000)}`);
  return stdout;
}
