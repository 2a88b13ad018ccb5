import { type Stats, statSync } from 'node:fs';
import { hasXattr } from '../../../linux/xattr.js';

/** Owner, permission and set-id bits of a mode. */
const OWNER_MAY_READ = 0o400;
const OTHERS_MAY_WRITE = 0o022;
const SET_ID = 0o6000;
const GROUP_OR_OTHERS_MAY_ENTER = 0o011;

/** Who stores: what another one owns is read by root of the whole system only. */
export interface Linker {
  readonly uid: number;
  /** Whether permissions do not stop it, in whatever namespace the object is read. */
  readonly isRoot: boolean;
}

export interface LinkRuleInput {
  readonly fd: number;
  readonly stat: Pick<Stats, 'uid' | 'mode'>;
  readonly linker: Linker;
  /** Whether only its owner gets to the objects, whatever their modes are. */
  readonly isPrivate: boolean;
  /** Whether fs-verity keeps the content from being changed. */
  readonly isImmutable: boolean;
}

/**
 * Why the very inode of a file must not become an object; undefined if it may. The object keeps owner, mode and
 * attributes of the file, but lies where more people get to it than to the store of a container engine.
 */
export function linkRefusal({ fd, stat, linker, isPrivate, isImmutable }: LinkRuleInput): string | undefined {
  const isOwn = stat.uid === linker.uid;
  if (!linker.isRoot && (!isOwn || (stat.mode & OWNER_MAY_READ) === 0)) return 'who owns the objects could not read it';
  if (isPrivate) return undefined;
  if ((stat.mode & SET_ID) !== 0) return 'its set-id bit would take effect for all who get to the objects';
  if (hasXattr(fd, 'security.capability')) return 'its capabilities would take effect for all who get to the objects';
  if (isImmutable) return undefined;
  if (!isOwn) return `user ${stat.uid}, who owns it, could change the object`;
  if ((stat.mode & OTHERS_MAY_WRITE) !== 0) return 'others than its owner could change the object';
  return undefined;
}

/** More directories above each other have no name that the kernel takes. */
const MAX_DEPTH = 2048;

/**
 * Whether a directory lies below, or is, one that nobody but root or `uid` may enter.
 *
 * @param path as Node's functions take it.
 */
export function isPrivateDirectory(path: string, uid: number): boolean {
  let current = path;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const { mode, uid: owner, ino, dev } = statSync(current);
    const isOwn = owner === uid || owner === 0;
    if (isOwn && (mode & GROUP_OR_OTHERS_MAY_ENTER) === 0) return true;
    const parent = `${current}/..`;
    const above = statSync(parent);
    if (above.ino === ino && above.dev === dev) return false;
    current = parent;
  }
  return false;
}
