import { ioctl } from './ioctl.js';

/** `_IOW(0x94, 9, int)`: linux/fs.h. */
const FICLONE = 0x40049409;

/**
 * Makes `destFd` share all blocks of `sourceFd` (`ioctl_ficlone(2)`): a copy that takes no time and no space.
 *
 * @throws SystemError EOPNOTSUPP or EXDEV where the file systems cannot.
 */
export function ficlone(destFd: number, sourceFd: number): void {
  ioctl(destFd, FICLONE, sourceFd, 'FICLONE');
}
