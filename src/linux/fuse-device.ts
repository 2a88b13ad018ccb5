import { constants, openSync } from 'node:fs';
import { withContext } from '../errors.js';
import { ioctl } from './ioctl.js';

/** linux/fuse.h: `_IOR(229, 0, uint32_t)`, `_IOW(229, 1, struct fuse_backing_map)`, `_IOW(229, 2, uint32_t)`. */
const FUSE_DEV_IOC_CLONE = 0x8004e500;
const FUSE_DEV_IOC_BACKING_OPEN = 0x4010e501;
const FUSE_DEV_IOC_BACKING_CLOSE = 0x4004e502;

const FUSE_DEVICE = '/dev/fuse';
/** EPERM is what the control group of a container says of a device that it was not given. */
const NO_DEVICE_HINTS = {
  ENOENT: 'as root: modprobe fuse; a container needs to be given the device: --device /dev/fuse',
  EPERM: 'the container needs to be given the device: --device /dev/fuse',
};

/** @throws errors of `open(2)` */
export function openFuseDevice(): number {
  const message = `Unable to open fuse device ${FUSE_DEVICE}`;
  return withContext(message, () => openSync(FUSE_DEVICE, constants.O_RDWR), NO_DEVICE_HINTS);
}

/**
 * One more descriptor of a mounted FUSE device, with a processing queue of its own: a reply goes to the one from which
 * the request was read. Needs access to `/dev/fuse`.
 *
 * @throws errors of `open(2)`; SystemError
 */
export function cloneFuseDevice(deviceFd: number): number {
  const clone = openFuseDevice();
  ioctl(clone, FUSE_DEV_IOC_CLONE, uint32(deviceFd), 'FUSE_DEV_IOC_CLONE');
  return clone;
}

/**
 * Registers an open file as one that the kernel may read by itself. Needs CAP_SYS_ADMIN.
 *
 * @returns the id to name in the reply to OPEN.
 * @throws SystemError
 */
export function openBacking(deviceFd: number, fd: number): number {
  // struct fuse_backing_map: fd @0, flags @4, padding u64 @8.
  const map = Buffer.alloc(16);
  map.writeInt32LE(fd, 0);
  return ioctl(deviceFd, FUSE_DEV_IOC_BACKING_OPEN, map, 'FUSE_DEV_IOC_BACKING_OPEN');
}

/** Files that are open by it stay so. @throws SystemError */
export function closeBacking(deviceFd: number, id: number): void {
  ioctl(deviceFd, FUSE_DEV_IOC_BACKING_CLOSE, uint32(id), 'FUSE_DEV_IOC_BACKING_CLOSE');
}

function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value, 0);
  return buffer;
}
