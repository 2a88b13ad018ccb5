import { ComposefsError, errorChain } from '../../errors.js';
import { subordinateIdsMissing, userNamespaceLauncher, userNamespaceLimit } from '../../system/user-namespace.js';
import { limited, missing, ok } from '../probe/finding.js';
import type { Probe } from '../probe/probe.js';

export const userNamespaces: Probe = {
  check: 'user-namespaces',
  title: 'User namespaces',
  run() {
    try {
      const { command } = userNamespaceLauncher();
      return ok(`made by ${command.slice(0, command[0] === 'podman' ? 2 : 1).join(' ')}: cfsctl unshare works`);
    } catch (error) {
      const limit = userNamespaceLimit();
      const reason = limit === undefined ? errorChain(error).join(': ') : limit.reason;
      return missing(reason, error instanceof ComposefsError ? error.hint : undefined);
    }
  },
};

export const subordinateIds: Probe = {
  check: 'subordinate-ids',
  title: 'Subordinate ids',
  run() {
    const reason = subordinateIdsMissing();
    if (reason === undefined) return ok('/etc/subuid, /etc/subgid, newuidmap and newgidmap');
    return limited(
      `${reason}: only the user's own id is mapped in user namespaces`,
      'as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER; the package uidmap',
    );
  },
};
