import { closeSync } from 'node:fs';
import { fsopen } from '../../src/linux/mount-api.js';
import { hasCapability } from '../../src/linux/process.js';

/** For `skip`: why images cannot be mounted here. It takes the right to mount, and a kernel with both file systems. */
export function reasonNotToMountImages(): string | false {
  try {
    if (!hasCapability('CAP_SYS_ADMIN')) return 'needs CAP_SYS_ADMIN';
  } catch (error) {
    return String(error);
  }
  for (const fsname of ['erofs', 'overlay']) {
    try {
      closeSync(fsopen(fsname));
    } catch (error) {
      return `the kernel cannot mount ${fsname} here: ${error}`;
    }
  }
  return false;
}
