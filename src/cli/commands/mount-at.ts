import { closeSync, constants, openSync } from 'node:fs';
import { mountImageAt } from '../../composefs/mount/index.js';
import type { ReadableRepository } from '../../composefs/repository/readable-repository.js';
import { ComposefsError, errorCode, withContext } from '../../errors.js';
import { O_PATH } from '../../linux/fcntl.js';
import type { MountOptions } from '../options.js';

/** Mounts an image as the MNT options (spec 70 C3) want it. */
export function mountAt(repo: ReadableRepository, name: string, mountpoint: string, options: MountOptions): void {
  const fds: number[] = [];
  const openLayer = (what: string, path: string): number => {
    const fd = withContext(`Opening ${what} '${path}'`, () => openSync(path, O_PATH | constants.O_DIRECTORY));
    fds.push(fd);
    return fd;
  };
  const { upperdir, workdir, readWrite = false } = options;
  try {
    const overlay =
      upperdir === undefined || workdir === undefined
        ? undefined
        : { upperFd: openLayer('upperdir', upperdir), workFd: openLayer('workdir', workdir) };
    mountImageAt(repo, name, mountpoint, { readWrite, ...(overlay !== undefined && { overlay }) });
  } catch (cause) {
    const needsRoot = errorCode(cause) === 'EPERM' || errorCode(cause) === 'EACCES';
    throw new ComposefsError(errorCode(cause), `Mounting image '${name}' at ${mountpoint}`, {
      cause,
      ...(needsRoot && { hint: 'mounting needs root (CAP_SYS_ADMIN) of the initial user namespace' }),
    });
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}
