import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

/** Where the C library looks, and the administrator's programs. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The absolute path of a program; undefined where there is none. Entries of PATH that are not absolute do not count: the
 * program would be whatever lies in the current directory, which may be anybody's. Programs are started by this path
 * only, so that nothing else looks in PATH again.
 *
 * @param name Without a slash, or an absolute path.
 */
export function findProgram(name: string, environment: NodeJS.ProcessEnv = process.env): string | undefined {
  if (isAbsolute(name)) return isExecutable(name) ? name : undefined;
  if (name === '' || name.includes('/')) return undefined;
  return absoluteEntries(environment)
    .map((directory) => join(directory, name))
    .find(isExecutable);
}

/** The entries of PATH that are absolute, for programs that look for others themselves. */
export function absolutePath(environment: NodeJS.ProcessEnv = process.env): string {
  return absoluteEntries(environment).join(delimiter);
}

function absoluteEntries(environment: NodeJS.ProcessEnv): string[] {
  return (environment['PATH'] ?? DEFAULT_PATH).split(delimiter).filter(isAbsolute);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
