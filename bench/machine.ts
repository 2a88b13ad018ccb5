import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';

/** What the figures depend on besides the programs: nothing that names the machine. */
export function describeMachine(fileSystem: string): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  return `${model}, ${availableParallelism()} processors, ${memory}, Linux ${release().split('-', 1)[0]}, repositories on ${fileSystem}`;
}

/** The type of the file system on which a path is, as proc_mounts(5) names it. */
export function fileSystemOf(path: string): string {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, at = '']) => at !== '' && (at === '/' || path === at || path.startsWith(`${at}/`)))
    .sort(([, a = ''], [, b = '']) => a.length - b.length);
  return mounts.at(-1)?.[2] ?? 'unknown';
}
