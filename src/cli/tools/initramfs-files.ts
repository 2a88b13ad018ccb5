import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, join } from 'node:path';
import { ComposefsError } from '../../errors.js';
import { loadLibc } from '../../linux/ffi.js';

/**
 * The files that the running command needs in an initramfs, at the same paths: Node.js, this file, and koffi with its
 * native module. What shared libraries they need is for the tool that copies them to find out.
 *
 * @throws ComposefsError `FFI_UNAVAILABLE` where koffi cannot be loaded; `PROC_UNAVAILABLE`
 */
export function initramfsFiles(): string[] {
  loadLibc();
  if (!existsSync(process.execPath)) {
    throw new ComposefsError('PROC_UNAVAILABLE', 'it is not known where Node.js is: /proc is not mounted', {
      hint: 'mount -t proc proc /proc',
    });
  }
  const main = realpathSync(process.argv[1] ?? '');
  const loaded = Object.keys(createRequire(import.meta.url).cache);
  const modules = [...new Set([main, ...loaded])];
  const files = [realpathSync(process.execPath), ...modules, ...modules.map(packageJsonOf), ...builtinModules()];
  return [...new Set(files.filter((file) => file !== undefined))];
}

/** What tells Node how a file is to be loaded. */
function packageJsonOf(file: string): string | undefined {
  for (let directory = dirname(file); ; directory = dirname(directory)) {
    const path = join(directory, 'package.json');
    if (existsSync(path)) return path;
    if (directory === dirname(directory)) return undefined;
  }
}

/** Distributions build Node.js so that it loads some of its own modules from files. */
function builtinModules(): string[] {
  const { variables } = process.config;
  const files: unknown =
    'node_builtin_shareable_builtins' in variables ? variables.node_builtin_shareable_builtins : [];
  if (!Array.isArray(files)) return [];
  return files.filter((file): file is string => typeof file === 'string' && isAbsolute(file) && existsSync(file));
}
