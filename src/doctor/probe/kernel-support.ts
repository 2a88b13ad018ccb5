import { existsSync, openSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { errorCode } from '../../errors.js';
import { readStart, withFd } from '../../fs/files.js';
import { hasCapability } from '../../linux/process.js';
import { inInitialUserNamespace } from '../../system/user-namespace.js';

const MAX_MODULE_LIST = 16 << 20;

/** Whether the kernel has a file system: running, as a module that it may load, or not at all. */
export function fileSystemSupport(name: string): 'present' | 'loadable' | 'absent' {
  const known = readFileSync('/proc/filesystems', 'utf8').split('\n');
  if (known.some((line) => line.split('\t')[1] === name)) return 'present';
  return moduleList().includes(`/${name}.ko`) ? 'loadable' : 'absent';
}

/** Whether this process may make the mounts that only root may: not in a container, not in a user namespace. */
export function mayMountForReal(): boolean {
  return inInitialUserNamespace() && hasCapability('CAP_SYS_ADMIN');
}

/** The message of what was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : errorCode(error);
}

function moduleList(): Buffer {
  const path = `/lib/modules/${release()}/modules.dep`;
  return existsSync(path) ? withFd(openSync(path, 'r'), (fd) => readStart(fd, MAX_MODULE_LIST)) : Buffer.alloc(0);
}
