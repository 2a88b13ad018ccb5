import { addressOf } from './ffi.js';
import { ioctl } from './ioctl.js';

/** `_IOW('f', 133, struct fsverity_enable_arg)`, `_IOWR('f', 134, struct fsverity_digest)`: linux/fsverity.h. */
const FS_IOC_ENABLE_VERITY = 0x40806685;
const FS_IOC_MEASURE_VERITY = 0xc0046686;

const ENABLE_ARG_SIZE = 128;
const DIGEST_HEADER_SIZE = 4;

/**
 * Enables fs-verity with 4096-byte blocks and no salt. `fd` must be read-only, and nobody may have the file open for
 * writing.
 *
 * @param kernelAlgorithm `FS_VERITY_HASH_ALG_*`: 1 for SHA-256, 2 for SHA-512.
 * @param signature PKCS#7 in DER, for kernels that demand one.
 * @throws SystemError among them EOPNOTSUPP, ENOTTY, EEXIST, ETXTBSY, EKEYREJECTED.
 */
export function enableVerity(fd: number, kernelAlgorithm: 1 | 2, signature?: Uint8Array): void {
  // struct fsverity_enable_arg: version @0, hash_algorithm @4, block_size @8, salt_size @12, salt_ptr @16,
  // sig_size @24, reserved @28, sig_ptr @32, reserved @40 to 128.
  const argument = new DataView(new ArrayBuffer(ENABLE_ARG_SIZE));
  argument.setUint32(0, 1, true);
  argument.setUint32(4, kernelAlgorithm, true);
  argument.setUint32(8, 4096, true);
  if (signature !== undefined) {
    argument.setUint32(24, signature.length, true);
    argument.setBigUint64(32, addressOf(signature), true);
  }
  ioctl(fd, FS_IOC_ENABLE_VERITY, new Uint8Array(argument.buffer), 'FS_IOC_ENABLE_VERITY');
}

/** What the kernel measured of a file. */
export interface MeasuredVerity {
  /** `FS_VERITY_HASH_ALG_*`. */
  readonly algorithm: number;
  readonly digest: Buffer;
}

/**
 * The digest of a file with fs-verity. Costs no hashing.
 *
 * @param capacity bytes that the digest may have; a longer one is EOVERFLOW.
 * @throws SystemError among them ENODATA, EOPNOTSUPP, ENOTTY, EOVERFLOW.
 */
export function measureVerity(fd: number, capacity: number): MeasuredVerity {
  // struct fsverity_digest: digest_algorithm u16 @0, digest_size u16 @2, digest @4.
  const argument = Buffer.alloc(DIGEST_HEADER_SIZE + capacity);
  argument.writeUInt16LE(capacity, 2);
  ioctl(fd, FS_IOC_MEASURE_VERITY, argument, 'FS_IOC_MEASURE_VERITY');
  const size = argument.readUInt16LE(2);
  return {
    algorithm: argument.readUInt16LE(0),
    digest: argument.subarray(DIGEST_HEADER_SIZE, DIGEST_HEADER_SIZE + size),
  };
}
