import { fileURLToPath } from 'node:url';

/** What {@link faultEnvironment} makes a command do at a system call. */
export interface FaultPlan {
  /** Only calls about paths and descriptors in here count. Absolute, without symlinks. */
  readonly folder: string;
  readonly kinds: readonly CallKind[];
  /** Which call, counted from 1 over all threads. */
  readonly n: number;
  /**
   * The process is killed before the call; the call is done by half; a read finds the end; or the call fails with that
   * error. `count` does nothing.
   */
  readonly action: 'count' | 'kill' | 'short' | 'end' | ErrorName;
  /** Gets the number of calls of each kind, as JSON, when the command ends. */
  readonly report?: string;
}

export type ErrorName = 'EIO' | 'ENOSPC' | 'EDQUOT' | 'EMFILE' | 'EINTR' | 'EACCES' | 'EROFS' | 'ENOMEM' | 'ENOLCK';

export const CALL_KINDS = [
  'open',
  'read',
  'write',
  'link',
  'symlink',
  'rename',
  'mkdir',
  'unlink',
  'sync',
  'truncate',
  'chmod',
  'readdir',
  'readlink',
  'stat',
  'lock',
  'ioctl',
] as const;

export type CallKind = (typeof CALL_KINDS)[number];

/** Those that change what is on disk. */
export const CHANGES: readonly CallKind[] = [
  'write',
  'link',
  'symlink',
  'rename',
  'mkdir',
  'unlink',
  'sync',
  'truncate',
];

export const HOOK_VARIABLE = 'COMPOSEFS_TORTURE_FAULT';

/** The environment in which a command of Node follows the plan. */
export function faultEnvironment(plan: FaultPlan): Record<string, string> {
  const hook = fileURLToPath(new URL('./fault-hook.js', import.meta.url));
  return { [HOOK_VARIABLE]: JSON.stringify(plan), NODE_OPTIONS: `--import ${hook}` };
}
