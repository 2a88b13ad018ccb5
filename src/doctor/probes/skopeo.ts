import { spawnSync } from 'node:child_process';
import { findProgram } from '../../linux/find-program.js';
import { missing, ok } from '../probe/finding.js';
import type { Probe } from '../probe/probe.js';

const TIMEOUT_MS = 4000;

export const skopeo: Probe = {
  check: 'skopeo',
  title: 'skopeo',
  run() {
    const path = findProgram('skopeo');
    if (path === undefined) {
      return missing(
        'not installed: no pulls from transports of its own, such as docker-daemon:',
        'install the package skopeo, if those are wanted',
      );
    }
    const { stdout, status } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: TIMEOUT_MS });
    if (status !== 0) return missing(`${path} --version fails with status ${status}`, 'reinstall the package skopeo');
    return ok(stdout.trim());
  },
};
