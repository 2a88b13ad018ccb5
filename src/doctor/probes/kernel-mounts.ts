import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeErofs } from '../../composefs/erofs/writer/write.js';
import { erofsFileMount, erofsLoopMount } from '../../composefs/mount/erofs-mount.js';
import { Directory } from '../../composefs/tree/inode.js';
import { NO_XATTRS } from '../../composefs/tree/stat.js';
import { withFd } from '../../fs/files.js';
import { isSystemError } from '../../linux/errno.js';
import { limited, missing, type Outcome, ok } from '../probe/finding.js';
import { fileSystemSupport, mayMountForReal, reasonOf } from '../probe/kernel-support.js';
import { whyNoOverlay } from '../probe/overlay-attempt.js';
import type { Probe } from '../probe/probe.js';
import { withScratchDirectory } from '../probe/scratch.js';

/** What the kernel needs to mount images itself: EROFS and overlayfs. */

/** Mounts the image of an empty directory, attached nowhere. */
export const erofs: Probe = {
  check: 'erofs',
  title: 'EROFS',
  needsSystemCalls: true,
  run() {
    const inTheWay = whyNotTried('erofs', 'only root may mount it');
    if (inTheWay !== undefined) return inTheWay;
    return withScratchDirectory((directory) => {
      const path = join(directory, 'image');
      writeFileSync(path, emptyImage());
      return withFd(openSync(path, 'r'), mountFrom);
    });
  },
};

function mountFrom(imageFd: number): Outcome {
  try {
    closeSync(erofsFileMount(imageFd));
    return ok('images are mounted from their files');
  } catch (error) {
    if (!isSystemError(error, 'ENOTBLK')) return missing(reasonOf(error), 'use FUSE');
  }
  try {
    closeSync(erofsLoopMount(imageFd));
    return limited(
      'images are mounted through loop devices: slower',
      'a kernel of 6.12 or newer with CONFIG_EROFS_FS_BACKED_BY_FILE',
    );
  } catch (error) {
    const reason = `not from files, and not through loop devices: ${reasonOf(error)}`;
    return missing(reason, 'make /dev/loop-control and free loop devices available; or use FUSE');
  }
}

function emptyImage(): Buffer {
  const root = new Directory({ mode: 0o755, uid: 0, gid: 0, mtimeSec: 0, mtimeNsec: 0, xattrs: NO_XATTRS });
  return writeErofs(root, { version: 1, algorithm: 'sha256' });
}

const COMPOSEFS = { metacopy: 'on', redirect_dir: 'on' };

export const overlay: Probe = {
  check: 'overlayfs',
  title: 'overlayfs',
  needsSystemCalls: true,
  run() {
    const inTheWay = whyNotTried('overlay', 'images with it need root');
    if (inTheWay !== undefined) return inTheWay;
    const plain = whyNoOverlay({ options: COMPOSEFS });
    if (plain !== undefined) return missing(plain, 'use FUSE');
    const data = whyNoOverlay({ dataLayer: true, options: COMPOSEFS });
    if (data !== undefined) return missing(`no data-only layers: ${data}`, 'Linux 6.5 or newer; or use FUSE');
    const verity = whyNoOverlay({ dataLayer: true, options: { ...COMPOSEFS, verity: 'require' } });
    if (verity !== undefined)
      return limited(`data-only layers, but no verity=require: ${verity}`, 'Linux 6.6 or newer');
    return ok('data-only layers, metacopy, redirect_dir, verity=require');
  },
};

/** What is known without a mount; undefined where one can be tried. */
function whyNotTried(name: 'erofs' | 'overlay', needsRoot: string): Outcome | undefined {
  const support = fileSystemSupport(name);
  if (support === 'absent') {
    return missing('the kernel does not have it', `a kernel with CONFIG_${name.toUpperCase()}_FS; or use FUSE`);
  }
  if (mayMountForReal()) return undefined;
  return limited(`the kernel has it${support === 'loadable' ? ' as a module' : ''}; ${needsRoot}`, 'use FUSE');
}
