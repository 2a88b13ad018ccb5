import type { MountRestrictions } from './restrictions.js';

/**
 * Whether overlayfs insists on fs-verity of the data files (spec 50 §17). `try` tolerates a kernel that does not know
 * the option; a kernel that knows it but has no fs-verity fails at the files.
 */
export type VerityRequirement = 'disabled' | 'required' | 'try';

export interface ErofsMountOptions extends MountRestrictions {
  /** Ignore access control lists. */
  readonly noAcl?: boolean;
}

export interface MountOptions extends ErofsMountOptions {
  /** A writable layer on top: directories of one file system, `O_PATH` is enough. */
  readonly overlay?: { readonly upperFd: number; readonly workFd: number };
  /** What the mount table shows as the source of the mount. Default `composefs:` and the name of the image. */
  readonly source?: string;
  /** Default false: read-only even with an upper layer. */
  readonly readWrite?: boolean;
  /** A user namespace (`/proc/<pid>/ns/user`) through which the owners in the image are mapped. */
  readonly idmapFd?: number;
}
