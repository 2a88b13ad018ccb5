import { hasCapability } from '../../linux/capability.js';
import { inInitialUserNamespace } from '../../system/user-namespace.js';
import { limited, ok } from '../probe/finding.js';
import type { Probe } from '../probe/probe.js';

const REMEDY = 'for kernel mounts run as root outside of containers; FUSE needs neither';

export const privileges: Probe = {
  check: 'privileges',
  title: 'Privileges',
  needsSystemCalls: true,
  run() {
    const user = `user ${process.getuid?.() ?? '?'}`;
    if (!inInitialUserNamespace()) return limited(`${user} of a user namespace: no kernel mounts of images`, REMEDY);
    if (hasCapability('CAP_SYS_ADMIN')) return ok(`${user}, with CAP_SYS_ADMIN`);
    return limited(`${user}, without CAP_SYS_ADMIN: no kernel mounts of images`, REMEDY);
  },
};
