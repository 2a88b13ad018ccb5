import { closeSync, constants, openSync } from 'node:fs';
import { isSystemError } from './errno.js';
import { ioctl } from './ioctl.js';

/** linux/loop.h. */
const LOOP_CTL_GET_FREE = 0x4c82;
const LOOP_CONFIGURE = 0x4c0a;
const LO_FLAGS_READ_ONLY = 1;
const LO_FLAGS_AUTOCLEAR = 4;
const LO_FLAGS_DIRECT_IO = 16;

/** Others take the free device between asking and using. */
const ATTEMPTS = 16;

/**
 * A read-only loop device of an open file. The device goes away with its last user: the caller closes the descriptor
 * after mounting.
 *
 * @returns the descriptor of the block device.
 * @throws SystemError
 */
export function loopify(fd: number): number {
  const control = openSync('/dev/loop-control', constants.O_RDWR);
  try {
    for (let attempt = 1; ; attempt++) {
      const number = ioctl(control, LOOP_CTL_GET_FREE, 0, 'LOOP_CTL_GET_FREE');
      const device = openSync(`/dev/loop${number}`, constants.O_RDWR);
      try {
        ioctl(device, LOOP_CONFIGURE, loopConfig(fd), 'LOOP_CONFIGURE');
        return device;
      } catch (error) {
        closeSync(device);
        if (!isSystemError(error, 'EBUSY') || attempt === ATTEMPTS) throw error;
      }
    }
  } finally {
    closeSync(control);
  }
}

/** `struct loop_config`: fd @0, block_size @4, `struct loop_info64` @8 with lo_flags @52 of it; 304 bytes. */
function loopConfig(fd: number): Buffer {
  const config = Buffer.alloc(304);
  config.writeUInt32LE(fd, 0);
  config.writeUInt32LE(4096, 4);
  config.writeUInt32LE(LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO, 8 + 52);
  return config;
}
