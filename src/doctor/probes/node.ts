import { missing, ok } from '../probe/finding.js';
import type { Probe } from '../probe/probe.js';

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
