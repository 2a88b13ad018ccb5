import { MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID } from '../../linux/mount-api.js';

/**
 * Whether overlayfs insists on fs-verity of the data files (spec 50 §17). `try` tolerates a kernel that does not know
 * the option; a kernel that knows it but has no fs-verity fails at the files.
 */
export type VerityRequirement = 'disabled' | 'required' | 'try';

export interface ErofsMountOptions extends MountRestrictions {
  /** Ignore access control lists. */
  readonly noAcl?: boolean;
}

/** How the kernel mounts an image. */
export interface MountOptions extends MountRestrictions {
  /** Ignore access control lists. */
  readonly noAcl?: boolean;
  /** A writable layer on top: directories of one file system, `O_PATH` is enough. */
  readonly overlay?: { readonly upperFd: number; readonly workFd: number };
  /** What the mount table shows as the source of the mount. Default `composefs:` and the name of the image. */
  readonly source?: string;
  /** Default false: read-only even with an upper layer. */
  readonly readWrite?: boolean;
  /** A user namespace (`/proc/<pid>/ns/user`) through which the owners in the image are mapped. */
  readonly idmapFd?: number;
}

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
