import { createHash } from 'node:crypto';

const LABELS = ['usr_t', 'etc_t', 'lib_t', 'bin_t', 'var_t'].map((type) => `system_u:object_r:${type}:s0\\x00`);
const MAX_DEPTH = 8;

/**
 * A dumpfile like that of a system with this many entries: one in twenty a directory, one in ten a symlink, one in ten a
 * small file, the others objects; each with a label. Always the same for the same number.
 */
export function* largeDump(entries: number): Generator<string> {
  const directories = [''];
  yield line('/', '4096 40755 2', '-', '-', '-', 0);
  for (let i = 1; i < entries; i++) {
    const directory = directories.at(-1) ?? '';
    if (i % 20 === 0) {
      const parent = directories[(i * 7919) % directories.length] ?? '';
      const path = `${parent.split('/').length > MAX_DEPTH ? '' : parent}/directory-${i}`;
      directories.push(path);
      yield line(path, '4096 40755 2', '-', '-', '-', i);
    } else if (i % 10 === 3) {
      yield line(`${directory}/link-${i}`, '9 120777 1', '../target', '-', '-', i);
    } else if (i % 10 === 4) {
      yield line(`${directory}/small-${i}`, '12 100644 1', '-', 'hello\\x20world\\n', '-', i);
    } else {
      const digest = createHash('sha256').update(String(i)).digest('hex');
      const path = `${digest.slice(0, 2)}/${digest.slice(2)}`;
      yield line(`${directory}/file-${i}.txt`, `${1000 + i} 100644 1`, path, '-', digest, i);
    }
  }
}

function line(path: string, stat: string, payload: string, content: string, digest: string, index: number): string {
  const label = LABELS[index % LABELS.length];
  return `${path} ${stat} 0 0 0 1633950376.0 ${payload} ${content} ${digest} security.selinux=${label}\n`;
}
