import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { release } from 'node:os';
import { errorCode } from '../../errors.js';
import { hasCapability } from '../../linux/capability.js';
import { inInitialUserNamespace } from '../../linux/user-namespace.js';

const MAX_MODULE_LIST = 16 << 20;

/** Whether the kernel has a file system: running, as a module that it may load, or not at all. */
export function fileSystemSupport(name: string): 'present' | 'loadable' | 'absent' {
  const known = readFileSync('/proc/filesystems', 'utf8').split('\n');
  if (known.some((line) => line.split('\t')[1] === name)) return 'present';
  return readStart(`/lib/modules/${release()}/modules.dep`).includes(`/${name}.ko`) ? 'loadable' : 'absent';
}

/** Whether this process may make the mounts that only root may: not in a container, not in a user namespace. */
export function mayMountForReal(): boolean {
  return inInitialUserNamespace() && hasCapability('CAP_SYS_ADMIN');
}

/** The message of what was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : errorCode(error);
}

function readStart(path: string): string {
  if (!existsSync(path)) return '';
  const fd = openSync(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(MAX_MODULE_LIST);
    let size = 0;
    for (let count = 1; count > 0 && size < buffer.length; size += count) {
      count = readSync(fd, buffer, size, buffer.length - size, null);
    }
    return buffer.toString('latin1', 0, size);
  } finally {
    closeSync(fd);
  }
}
