import { ComposefsError, errorChain } from '../../errors.js';
import { firstFreeSubordinateId } from '../../system/subordinate-ids.js';
import {
  subordinateIdsMissing,
  userName,
  userNamespaceLauncher,
  userNamespaceLimit,
} from '../../system/user-namespace.js';
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
    const first = firstFreeSubordinateId();
    const range = `${first}-${first + 65_535}`;
    return limited(
      `${reason}: only the user's own id is mapped in user namespaces`,
      `as root: usermod --add-subuids ${range} --add-subgids ${range} ${userName() ?? 'USER'}; the package uidmap`,
    );
  },
};
