import { closeSync, realpathSync, statSync } from 'node:fs';
import type { MountOptions, MountRestrictions } from '../composefs/mount/index.js';
import { ComposefsError, withContext } from '../errors.js';
import {
  type AttachedMount,
  attach,
  attachedAt,
  canMountItself,
  detach,
  type FuseDevice,
  mountDetachedFuse,
  mountUserFuse,
} from './fuse-mount.js';
import type { ImageSource } from './image-source.js';
import { mountFuseOverlay, usableOverlayXattrs } from './overlay-on-fuse.js';
import type { OverlayXattrMode } from './xattr-names.js';

/** How to mount an image through FUSE. */
export interface FuseMountOptions extends MountRestrictions {
  /** A writable layer on top, and whether it is used: as for the kernel's mount. */
  readonly overlay?: MountOptions['overlay'];
  readonly readWrite?: boolean | undefined;
  /**
   * `direct`: FUSE shows the file system, and the server, or the kernel for it, reads the objects. `overlay`: FUSE
   * shows the tree of the image, and overlayfs takes the data from the objects; needs CAP_SYS_ADMIN. Default: `overlay`
   * with an upper layer, else `direct`.
   */
  readonly mode?: 'direct' | 'overlay' | undefined;
  /**
   * Check every object against the digest that the image states when it is opened for the first time. Default: if the
   * image has fs-verity. True does so without that, too: then the image itself is checked as well.
   */
  readonly verify?: boolean | undefined;
  /** Others than the calling user may use the mount, as the modes of its files say. Default: with CAP_SYS_ADMIN. */
  readonly allowOther?: boolean | undefined;
  /** Let the kernel read the objects itself where it can (Linux 6.9, CAP_SYS_ADMIN). Default true. */
  readonly passthrough?: boolean | undefined;
  /**
   * Threads that answer requests. Default: 2, or 1 where the kernel reads the data by itself or there are two cores or
   * less.
   */
  readonly threads?: number | undefined;
  /** Gives up: nothing is mounted then. What is in place stays. */
  readonly signal?: AbortSignal | undefined;
}

/** One mount on its way: made, then served, then put in place. */
export class MountPlan {
  /** What a server has to serve. */
  readonly deviceFd: number;
  readonly overlayXattr: OverlayXattrMode | undefined;
  readonly #device: FuseDevice;
  readonly #mountPoint: Buffer;
  readonly #source: ImageSource;
  readonly #options: FuseMountOptions;
  /** Detached, still. */
  #mountFd: number | undefined;
  /** In place. */
  #attached: AttachedMount | undefined;

  /**
   * Mounts the device.
   *
   * @throws SystemError; ComposefsError `FUSERMOUNT`, `FUSERMOUNT_MISSING`, `OVERLAY_UNAVAILABLE`
   */
  constructor(source: ImageSource, mountPoint: string, options: FuseMountOptions) {
    this.#source = source;
    this.#options = options;
    this.#mountPoint = withContext(`Opening mount point '${mountPoint}'`, () => resolveDirectory(mountPoint));
    const mountsItself = canMountItself();
    this.overlayXattr = overlayXattrFor(options, source, mountsItself);
    const allowOther = options.allowOther ?? mountsItself;
    this.#device = mountsItself
      ? mountDetachedFuse(allowOther, options)
      : mountUserFuse(this.#mountPoint, allowOther, options);
    this.deviceFd = this.#device.deviceFd;
    this.#mountFd = this.#device.mountFd;
  }

  /** Puts the mount in place. The server must be running. @throws SystemError */
  finish(): AttachedMount {
    if (this.#mountFd === undefined) return attachedAt(this.#mountPoint);
    if (this.overlayXattr !== undefined) this.#addOverlay(this.#mountFd, this.overlayXattr);
    this.#attached = attach(this.#mountFd, this.#mountPoint);
    this.#closeMount();
    return this.#attached;
  }

  /** Undoes all, also what is in place: its server may have died. Without a mount a server ends. */
  cancel(): void {
    this.#closeMount();
    try {
      if (this.#attached !== undefined) detach(this.#attached);
      else if (this.#device.mountFd === undefined) detach(attachedAt(this.#mountPoint));
    } catch {
      // The caller wants to know the reason for the cancellation, not this.
    }
  }

  /** The overlay holds the tree below it from then on. */
  #addOverlay(treeFd: number, xattrs: OverlayXattrMode): void {
    const { objectsFd, verify } = this.#source;
    this.#mountFd = mountFuseOverlay(treeFd, objectsFd, { ...this.#options, xattrs, verity: verify });
    closeSync(treeFd);
  }

  #closeMount(): void {
    if (this.#mountFd !== undefined) closeSync(this.#mountFd);
    this.#mountFd = undefined;
  }
}

function overlayXattrFor(
  { mode, overlay, verify }: FuseMountOptions,
  { kernelVerity }: ImageSource,
  mountsItself: boolean,
): OverlayXattrMode | undefined {
  if (mode === 'direct' && overlay !== undefined) {
    throw new ComposefsError('EINVAL', 'an upper layer needs the mode overlay');
  }
  if ((mode ?? (overlay === undefined ? 'direct' : 'overlay')) === 'direct') return undefined;
  if (verify === true && !kernelVerity) {
    throw new ComposefsError('VERITY_UNAVAILABLE', 'an overlay cannot check files that have no fs-verity', {
      hint: 'without an upper layer the FUSE server checks them',
    });
  }
  const xattrs = mountsItself ? usableOverlayXattrs() : undefined;
  if (xattrs !== undefined) return xattrs;
  throw new ComposefsError('OVERLAY_UNAVAILABLE', 'an upper layer needs overlayfs, which is not available here', {
    hint: mountsItself
      ? 'in a user namespace overlayfs needs Linux 6.16'
      : 'mount as root, or inside of `cfsctl unshare`',
  });
}

function resolveDirectory(path: string): Buffer {
  const resolved = realpathSync.native(path, 'buffer');
  if (!statSync(resolved).isDirectory()) throw new ComposefsError('ENOTDIR', `${path} is not a directory`);
  return resolved;
}
