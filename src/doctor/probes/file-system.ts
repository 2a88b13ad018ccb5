import { closeSync, constants, openSync, statfsSync, writeSync } from 'node:fs';
import { EnableVerityError, enableVerityWithRetry } from '../../composefs/fsverity/kernel.js';
import { errorCode } from '../../errors.js';
import { withFd } from '../../fs/files.js';
import { isSystemError } from '../../linux/errno.js';
import { ficlone } from '../../linux/ioctl.js';
import { procPath } from '../../linux/link.js';
import { limited, missing, type Outcome, ok } from '../probe/finding.js';
import { reasonOf } from '../probe/kernel-support.js';
import type { Probe } from '../probe/probe.js';
import { openAnonymous, openScratch, withScratch } from '../probe/scratch.js';

/** What the file system of a repository can do: fs-verity, reflinks, anonymous files. */

/** Magic numbers of linux/magic.h, as `f_type` of statfs(2), of file systems with fs-verity, and what enables it. */
const REMEDIES: ReadonlyMap<number, string> = new Map([
  [0xef53, 'a kernel with CONFIG_FS_VERITY, and as root: tune2fs -O verity DEVICE'],
  [0x9123683e, 'a kernel of 5.15 or newer with CONFIG_FS_VERITY'],
  [0xf2f52010, 'a kernel with CONFIG_FS_VERITY, and the file system made with: mkfs.f2fs -O verity'],
]);
const OTHERWISE = 'put the repository on ext4, btrfs or f2fs; or make it with init --insecure';

export const fsVerity: Probe = {
  check: 'fs-verity',
  title: 'fs-verity',
  needsSystemCalls: true,
  run: ({ directory }) => tryVerity(directory),
};

/** Enables fs-verity on an anonymous file in a directory. */
export function tryVerity(directory: string): Outcome {
  let writable: number;
  try {
    writable = openScratch(directory);
  } catch (error) {
    return limited(`not tried, as ${directory} cannot be written to: ${reasonOf(error)}`);
  }
  const fd = withFd(writable, () => {
    writeSync(writable, 'composefs');
    return openSync(procPath(writable), constants.O_RDONLY);
  });
  return withFd(fd, () => enable(fd, directory));
}

function enable(fd: number, directory: string): Outcome {
  try {
    enableVerityWithRetry(fd, 'sha256');
    return ok(`works in ${directory}`);
  } catch (error) {
    const unsupported = error instanceof EnableVerityError && error.kind === 'filesystem-not-supported';
    if (!unsupported) return limited(reasonOf(error));
    const remedy = REMEDIES.get(statfsSync(directory).type);
    return missing(
      `the file system of ${directory} does not have it: what is read is not checked`,
      remedy === undefined ? OTHERWISE : `${remedy}; or make the repository with init --insecure`,
    );
  }
}

export const reflink: Probe = {
  check: 'reflink',
  title: 'Reflinks',
  needsSystemCalls: true,
  run({ directory }) {
    try {
      return withScratch(directory, (source) =>
        withScratch(directory, (copy) => {
          writeSync(source, Buffer.alloc(4096, 1));
          ficlone(copy, source);
          return ok(`works in ${directory}: imported files share their blocks`);
        }),
      );
    } catch (error) {
      if (!isSystemError(error, 'EOPNOTSUPP', 'ENOTTY', 'EINVAL')) return limited(`not tried: ${reasonOf(error)}`);
      return missing(
        `the file system of ${directory} has none: imported files are copied`,
        'btrfs and XFS have them; pulls from registries do not need them',
      );
    }
  },
};

export const anonymousFiles: Probe = {
  check: 'o_tmpfile',
  title: 'O_TMPFILE',
  run({ directory }) {
    try {
      closeSync(openAnonymous(directory));
      return ok(`works in ${directory}`);
    } catch (error) {
      if (errorCode(error) === 'EOPNOTSUPP' || errorCode(error) === 'EISDIR') {
        return missing(`not in ${directory}: named temporary files are used instead`, 'nothing needs to be done');
      }
      return limited(`not tried: ${reasonOf(error)}`);
    }
  },
};
