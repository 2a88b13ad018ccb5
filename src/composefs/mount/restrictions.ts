import { MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID } from '../../linux/mount-api.js';

/** What a mount does not allow, whatever the image has (mount(8)). Default: as the image has it. */
export interface MountRestrictions {
  /** Programs run as who runs them: set-user-id, set-group-id bits and file capabilities do not count. */
  readonly nosuid?: boolean | undefined;
  /** Device nodes cannot be opened. */
  readonly nodev?: boolean | undefined;
  /** Nothing can be executed. */
  readonly noexec?: boolean | undefined;
}

export const RESTRICTIONS: readonly (keyof MountRestrictions)[] = ['nosuid', 'nodev', 'noexec'];

const ATTRIBUTES = { nosuid: MOUNT_ATTR_NOSUID, nodev: MOUNT_ATTR_NODEV, noexec: MOUNT_ATTR_NOEXEC };

/** `MOUNT_ATTR_*` for `fsmount(2)`. */
export function restrictionAttributes(restrictions: MountRestrictions): number {
  return RESTRICTIONS.reduce((all, name) => all | (restrictions[name] === true ? ATTRIBUTES[name] : 0), 0);
}
