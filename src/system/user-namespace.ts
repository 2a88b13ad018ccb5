import { spawnSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { userInfo } from 'node:os';
import { basename } from 'node:path';
import { ComposefsError } from '../errors.js';
import { absolutePath, findProgram } from '../linux/find-program.js';
import { readSubordinateIds } from './subordinate-ids.js';

/**
 * How to run a program in a user and mount namespace of its own. A process with threads cannot enter one
 * (unshare(2), CLONE_NEWUSER), and Node has threads from the start: another program has to do it first.
 */
export interface UserNamespaceLauncher {
  /**
   * The beginning of the command line, with the absolute path of a program; the program to run and its arguments follow.
   * `unshare` looks for `newuidmap` in PATH: give it {@link absolutePath}.
   */
  readonly command: readonly string[];
  /**
   * Which ids there are inside, besides that the user is root: no others, those of `/etc/subuid` and `/etc/subgid`, or
   * whatever podman has set up.
   */
  readonly ids: NamespaceIds;
}

export type NamespaceIds = 'own' | 'subordinate' | 'podman';

const PROBE_TIMEOUT_MS = 10_000;
const UNSHARE = ['unshare', '--user', '--map-root-user', '--mount'];

/** The inode number of the initial user namespace: PROC_USER_INIT_INO of linux/proc_ns.h. */
const INITIAL_USER_NAMESPACE = 'user:[4026531837]';

/** Whether this process is in the user namespace that the kernel started with. */
export function inInitialUserNamespace(): boolean {
  return readlinkSync('/proc/self/ns/user') === INITIAL_USER_NAMESPACE;
}

/**
 * The first way that works here: `unshare` of util-linux with the subordinate ids of the user, without them, or
 * `podman unshare`, which some systems allow where they forbid the first.
 *
 * @param order which ids are wanted, the best first.
 * @throws ComposefsError `USERNS_UNAVAILABLE` with the reasons of all, and what would help.
 */
export function userNamespaceLauncher(
  order: readonly NamespaceIds[] = ['subordinate', 'own', 'podman'],
): UserNamespaceLauncher {
  const reasons: string[] = [];
  const known = candidates();
  for (const { command, ids } of order.flatMap((wanted) => known.filter((each) => each.ids === wanted))) {
    const [name = '', ...args] = command;
    const program = findProgram(name);
    const launcher = program === undefined ? undefined : { command: [program, ...args], ids };
    const reason = launcher === undefined ? 'not installed' : reasonNotToWork(launcher);
    if (launcher !== undefined && reason === undefined) return launcher;
    reasons.push(`${name}: ${reason}`);
  }
  throw new ComposefsError('USERNS_UNAVAILABLE', `no user namespace can be made here: ${reasons.join('; ')}`, {
    hint: userNamespaceLimit()?.remedy ?? 'install util-linux, which has the program `unshare`, or podman',
  });
}

/** Why subordinate ids cannot be mapped; undefined if they can. */
export function subordinateIdsMissing(): string | undefined {
  const uid = process.getuid?.() ?? 0;
  const user = userName();
  for (const file of ['/etc/subuid', '/etc/subgid'] as const) {
    if (readSubordinateIds(file, user, uid).length === 0) return `${file} has no range for ${user ?? `user ${uid}`}`;
  }
  for (const program of ['newuidmap', 'newgidmap']) {
    if (findProgram(program) === undefined) return `${program} is not installed`;
  }
  return undefined;
}

/** A setting of the system that keeps ordinary users from making user namespaces. */
export interface UserNamespaceLimit {
  readonly reason: string;
  readonly remedy: string;
}

export function userNamespaceLimit(): UserNamespaceLimit | undefined {
  const limits: readonly [file: string, forbidden: string, setting: string][] = [
    ['/proc/sys/user/max_user_namespaces', '0', 'user.max_user_namespaces=15000'],
    ['/proc/sys/kernel/unprivileged_userns_clone', '0', 'kernel.unprivileged_userns_clone=1'],
    ['/proc/sys/kernel/apparmor_restrict_unprivileged_userns', '1', 'kernel.apparmor_restrict_unprivileged_userns=0'],
  ];
  for (const [file, forbidden, setting] of limits) {
    if (readSetting(file) !== forbidden) continue;
    const name = setting.split('=', 1)[0];
    return { reason: `${name} is ${forbidden}`, remedy: `as root: sysctl -w ${setting}` };
  }
  return undefined;
}

function candidates(): UserNamespaceLauncher[] {
  const subordinate = subordinateIdsMissing() === undefined;
  return [
    ...(subordinate ? [{ command: [...UNSHARE, '--map-auto', '--'], ids: 'subordinate' } as const] : []),
    { command: [...UNSHARE, '--'], ids: 'own' },
    { command: ['podman', 'unshare'], ids: 'podman' },
  ];
}

function reasonNotToWork({ command }: UserNamespaceLauncher): string | undefined {
  const [program = '', ...args] = command;
  const { status, stderr, error } = spawnSync(program, [...args, 'true'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    timeout: PROBE_TIMEOUT_MS,
    env: { ...process.env, PATH: absolutePath() },
  });
  if (error !== undefined) return error.message;
  if (status === 0) return undefined;
  return (
    stderr
      .trim()
      .replace(`${basename(program)}: `, '')
      .replaceAll('\n', ', ') || `ended with status ${status}`
  );
}

/** Undefined for a user without an entry in the user database. */
export function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}

function readSetting(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}
