import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { absolutePath } from '../../linux/find-program.js';
import { userNamespaceLauncher } from '../../system/user-namespace.js';
import { limited, missing, type Outcome, ok } from '../probe/finding.js';
import { reasonOf } from '../probe/kernel-support.js';
import type { RootlessOverlay } from '../probe/overlay-attempt.js';
import type { Probe } from '../probe/probe.js';

const TIMEOUT_MS = 4000;

/** Tried in a user namespace of its own. */
export const rootlessOverlay: Probe = {
  check: 'rootless-overlay',
  title: 'Rootless overlay',
  needsSystemCalls: true,
  run() {
    let command: readonly string[];
    try {
      ({ command } = userNamespaceLauncher());
    } catch (error) {
      return missing(reasonOf(error), 'see user namespaces');
    }
    const [program = '', ...args] = command;
    const self = fileURLToPath(new URL('./rootless-overlay-process.js', import.meta.url));
    const { status, stdout, stderr } = spawnSync(program, [...args, process.execPath, self], {
      encoding: 'utf8',
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
      env: { ...process.env, PATH: absolutePath() },
    });
    if (status !== 0) return limited(`could not be tried: ${stderr.trim() || `status ${status}`}`);
    return outcome(JSON.parse(stdout));
  },
};

function outcome({ upper, dataLayer }: RootlessOverlay): Outcome {
  if (upper !== null) return missing(`no overlay in a user namespace: ${upper}`, 'Linux 5.11 or newer');
  if (dataLayer === null) return ok('writable layers, and data-only layers with userxattr');
  return limited(`writable layers; no data-only layers with userxattr: ${dataLayer}`, 'Linux 6.16 or newer');
}
