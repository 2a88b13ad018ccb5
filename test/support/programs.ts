import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Other programs that tests compare with. Each is undefined where it is not installed. */

/** The command line of `cfsctl` of composefs-rs: COMPOSEFS_RS_CFSCTL, or `cfsctl-rs` in PATH (a name we never have). */
export function referenceCfsctl(): string | undefined {
  return process.env['COMPOSEFS_RS_CFSCTL'] ?? findInPath('cfsctl-rs');
}

export function findInPath(name: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((directory) => join(directory, name))
    .find((path) => existsSync(path));
}

/** OCI layouts of real images: the folders of COMPOSEFS_TEST_IMAGES. */
export function realImages(): { readonly name: string; readonly path: string }[] {
  const folder = process.env['COMPOSEFS_TEST_IMAGES'];
  if (folder === undefined) return [];
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, 'index.json')))
    .sort()
    .map((name) => ({ name, path: join(folder, name) }));
}

/** Runs a program to its end; throws with what it printed if it fails. */
export function runProgram(program: string, args: readonly string[], input?: Uint8Array): Buffer {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    maxBuffer: 1 << 30,
    env: { ...process.env, RUST_BACKTRACE: '0' },
    ...(input !== undefined && { input }),
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed (${status}):\n${stderr.toString()}`);
  return stdout;
}
