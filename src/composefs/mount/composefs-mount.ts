import { withFd } from '../../fs/files.js';
import { isSystemError } from '../../linux/errno.js';
import {
  fsconfigFlag,
  fsconfigString,
  fsmount,
  fsopen,
  MOUNT_ATTR_RDONLY,
  mountSetattrIdmap,
} from '../../linux/mount-api.js';

import { erofsMount } from './erofs-mount.js';
import type { MountOptions, VerityRequirement } from './options.js';
import { type MountRestrictions, restrictionAttributes } from './options.js';
import { type LayerMethod, layersByFd, layersByPath, mayNotKnowFds, type OverlayLayers } from './overlay-layers.js';

/** How to hand the layers to overlayfs, best first. */
const LAYER_METHODS: readonly LayerMethod[] = [layersByFd, layersByPath];

/**
 * Mounts an image: its EROFS tree as the upper, the data directories as the lower layers of an overlay
 * (spec 50 §17). Needs CAP_SYS_ADMIN in the initial user namespace.
 *
 * @param imageFd the image, a regular file open for reading.
 * @param name appears as the source `composefs:<name>` of the mount unless the options give another.
 * @param dataFds directories in which the redirects of the image lead to files: `objects/`. `O_PATH` is enough.
 * @param methods for tests.
 * @returns the descriptor of a mount that is not attached anywhere; closing it undoes the mount.
 * @throws SystemError with what the kernel says about it.
 */
export function composefsFsmount(
  imageFd: number,
  name: string,
  dataFds: readonly number[],
  verity: VerityRequirement = 'disabled',
  options: MountOptions = {},
  methods: readonly LayerMethod[] = LAYER_METHODS,
): number {
  return withFd(erofsMount(imageFd, options), (imageMountFd) => {
    // While it is detached: the overlay and the data are not mapped.
    if (options.idmapFd !== undefined) mountSetattrIdmap(imageMountFd, options.idmapFd);
    const layers: OverlayLayers = { imageMountFd, dataFds, writable: options.overlay };
    const { readWrite, source = `composefs:${name}` } = options;
    return overlayFsmount(layers, { ...options, source, xattrs: 'trusted', verity, readWrite }, methods);
  });
}

export interface OverlayOptions extends MountRestrictions {
  readonly source: string;
  /**
   * The namespace in which overlayfs finds its xattrs. `user` works in a user namespace as well; then redirects and
   * metacopy are followed without being asked for, into data layers only (Linux 6.16).
   */
  readonly xattrs: 'trusted' | 'user';
  readonly verity: VerityRequirement;
  readonly readWrite?: boolean | undefined;
}

/**
 * Mounts an overlay of an image's tree and its data.
 *
 * @returns the descriptor of a mount that is not attached anywhere.
 * @throws SystemError with what the kernel says about it.
 */
export function overlayFsmount(
  layers: OverlayLayers,
  options: OverlayOptions,
  methods: readonly LayerMethod[] = LAYER_METHODS,
): number {
  return firstThatWorks(methods, (method) =>
    withFd(fsopen('overlay'), (context) => {
      fsconfigString(context, 'source', options.source);
      if (options.xattrs === 'user') {
        fsconfigFlag(context, 'userxattr');
      } else {
        fsconfigString(context, 'metacopy', 'on');
        fsconfigString(context, 'redirect_dir', 'on');
      }
      requireVerity(context, options.verity);
      method(context, layers);
      return fsmount(context, restrictionAttributes(options) | (options.readWrite === true ? 0 : MOUNT_ATTR_RDONLY));
    }),
  );
}

function requireVerity(context: number, verity: VerityRequirement): void {
  if (verity === 'disabled') return;
  try {
    fsconfigString(context, 'verity', 'require');
  } catch (error) {
    if (verity === 'try' && isSystemError(error, 'EINVAL', 'ENOSYS')) return;
    throw error;
  }
}

/** A context is of no use any more after a failure: each method gets a new one. */
function firstThatWorks(methods: readonly LayerMethod[], mount: (method: LayerMethod) => number): number {
  let failure: unknown;
  for (const method of methods) {
    try {
      return mount(method);
    } catch (error) {
      if (!mayNotKnowFds(error)) throw error;
      failure = error;
    }
  }
  throw failure;
}
