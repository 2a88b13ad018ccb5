import { arch, release, type } from 'node:os';
import { limited, missing, ok } from '../probe/finding.js';
import type { Probe } from '../probe/probe.js';

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
