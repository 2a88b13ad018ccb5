import { arch, availableParallelism, release, totalmem, type } from 'node:os';
import { formatSize } from '../../bytes/format-size.js';
import { hasCapability } from '../../linux/process.js';
import { inInitialUserNamespace } from '../../system/user-namespace.js';
import { limited, missing, ok } from '../probe/finding.js';
import type { Probe } from '../probe/probe.js';

/** What the machine and this process are: Node.js, kernel, memory and processors, privileges. */

/** `engines` of package.json. */
const MINIMUM = [20, 19] as const;

export const node: Probe = {
  check: 'node',
  title: 'Node.js',
  necessary: true,
  run() {
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
    const detail = `${process.versions.node}, ${process.arch}`;
    if (major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1])) return ok(detail);
    return missing(`${detail}: too old`, `install Node.js ${MINIMUM.join('.')} or newer`);
  },
};

/** Data-only layers of overlayfs, without which there are no kernel mounts of composefs (spec 50 §21). */
const FOR_MOUNTS = [6, 5] as const;

export const kernel: Probe = {
  check: 'kernel',
  title: 'Kernel',
  necessary: true,
  run() {
    const detail = `${type()} ${release()}, ${arch()}`;
    if (type() !== 'Linux') return missing(detail, 'composefs is for Linux');
    const [major = 0, minor = 0] = release().split(/[.-]/).map(Number);
    if (major > FOR_MOUNTS[0] || (major === FOR_MOUNTS[0] && minor >= FOR_MOUNTS[1])) return ok(detail);
    return limited(`${detail}: older than ${FOR_MOUNTS.join('.')}, so images can be mounted by FUSE only`);
  },
};

/** What the largest command needs, with room for the system. */
const COMFORTABLE = 512 << 20;

export const resources: Probe = {
  check: 'resources',
  title: 'Memory and processors',
  run() {
    const total = totalmem();
    const constrained = process.constrainedMemory();
    const memory = constrained > 0 && constrained < total ? constrained : total;
    const detail = `${formatSize(memory)}, ${availableParallelism()} processors`;
    return memory >= COMFORTABLE ? ok(detail) : limited(detail, 'commands take up to 400 MiB: add memory or swap');
  },
};

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
