import { constants, fstatSync, openSync, readlinkSync } from 'node:fs';
import { byteStringFromText } from '../bytes/byte-string.js';
import { withFd } from '../fs/files.js';
import { closeForeign } from '../linux/close.js';
import { AT_FDCWD, O_PATH } from '../linux/constants.js';
import { procPath } from '../linux/link.js';
import { OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE, openTree } from '../linux/mount-api.js';
import { mountIdOf, readMountInfo } from './mount-info.js';

/**
 * A copy of one mount, attached nowhere, in which nothing is mounted: what lies below a mount point is seen in it. Files
 * can be linked from one place of it to another, as they could not from what is mounted there.
 */
export class MountCopy {
  readonly #fd: number;
  readonly #mountPoint: string;

  private constructor(fd: number, mountPoint: string) {
    this.#fd = fd;
    this.#mountPoint = mountPoint;
  }

  /**
   * Copies the mount that an open directory lies on. Needs CAP_SYS_ADMIN.
   *
   * @returns undefined if something is mounted over it, so that it cannot be named.
   * @throws SystemError
   */
  static of(directoryFd: number): MountCopy | undefined {
    const id = mountIdOf(directoryFd);
    const mount = readMountInfo().find((each) => each.id === id);
    if (mount === undefined) return undefined;
    const mountPoint = Buffer.from(mount.mountPoint, 'latin1');
    const isVisible = withFd(openSync(mountPoint, O_PATH | constants.O_DIRECTORY), (fd) => mountIdOf(fd) === id);
    if (!isVisible) return undefined;
    const fd = openTree(AT_FDCWD, mountPoint, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    return new MountCopy(fd, mount.mountPoint);
  }

  /**
   * The path by which an open directory of the mount is reached in the copy, as long as that is open.
   *
   * @returns undefined if it is not there.
   */
  pathOf(directoryFd: number): string | undefined {
    const path = byteStringFromText(readlinkSync(procPath(directoryFd)));
    const base = this.#mountPoint === '/' ? '' : this.#mountPoint;
    if (path !== base && !path.startsWith(`${base}/`)) return undefined;
    const copied = `${procPath(this.#fd)}${Buffer.from(path.slice(base.length), 'latin1').toString('utf8')}`;
    const expected = fstatSync(directoryFd);
    try {
      return withFd(openSync(copied, O_PATH | constants.O_DIRECTORY), (fd) => {
        const { dev, ino } = fstatSync(fd);
        return dev === expected.dev && ino === expected.ino ? copied : undefined;
      });
    } catch {
      return undefined;
    }
  }

  close(): void {
    closeForeign(this.#fd);
  }
}
