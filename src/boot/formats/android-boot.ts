/** Android boot images of header version 2 (spec 50 §9.1). All integers are little-endian. */

import { decodeUtf8 } from '../../bytes/text.js';
import type { ErrorCodeOf } from '../../error-codes.js';
import { ComposefsError, type ErrorDetails } from '../../errors.js';
import { bytesOf, type FileBytes } from './file-bytes.js';

export const ANDROID_BOOT_MAGIC: Buffer = Buffer.from('ANDROID!');

const HEADER_SIZE = 1660;
const VERSION = 2;
const KERNEL_SIZE = 8;
const RAMDISK_SIZE = 16;
const SECOND_SIZE = 24;
const PAGE_SIZE = 36;
const HEADER_VERSION = 40;
const CMDLINE = { offset: 64, size: 512 };
const EXTRA_CMDLINE = { offset: 608, size: 1024 };
const RECOVERY_DTBO_SIZE = 1632;
const STORED_HEADER_SIZE = 1644;
const DTB_SIZE = 1648;

/** A part of an Android boot image. */
export type AndroidComponent = 'kernel' | 'ramdisk' | 'dtb';

/** In the order of the payloads, each of which fills whole pages. */
const PAYLOADS = [
  ['kernel', KERNEL_SIZE],
  ['ramdisk', RAMDISK_SIZE],
  ['second', SECOND_SIZE],
  ['recovery_dtbo', RECOVERY_DTBO_SIZE],
  ['dtb', DTB_SIZE],
] as const;

/** Codes: `NOT_AN_ANDROID_BOOT_IMAGE`, `ANDROID_BOOT_VERSION`, `ANDROID_BOOT_INVALID`, `ANDROID_BOOT_NO_COMPONENT`. */
export class AndroidBootError extends ComposefsError {
  declare readonly code: ErrorCodeOf<'boot'>;

  constructor(code: ErrorCodeOf<'boot'>, message: string, details: ErrorDetails = {}) {
    super(code, message, details);
  }
}

/** A boot image of Android in a file of an image, of header version 2 (spec 50 §9.1). */
export class AndroidBootImage {
  readonly #file: FileBytes;
  readonly #header: Buffer;

  private constructor(file: FileBytes, header: Buffer) {
    this.#file = file;
    this.#header = header;
  }

  /** @throws AndroidBootError */
  static parse(image: Uint8Array | FileBytes): AndroidBootImage {
    const file = image instanceof Uint8Array ? bytesOf(image) : image;
    if (file.size < HEADER_SIZE) {
      throw new AndroidBootError('ANDROID_BOOT_INVALID', 'I/O error: failed to fill whole buffer');
    }
    const header = file.read(0, HEADER_SIZE);
    if (!header.subarray(0, ANDROID_BOOT_MAGIC.length).equals(ANDROID_BOOT_MAGIC)) {
      throw new AndroidBootError('NOT_AN_ANDROID_BOOT_IMAGE', 'not an Android boot image');
    }
    const version = header.readUInt32LE(HEADER_VERSION);
    if (version !== VERSION) {
      throw new AndroidBootError('ANDROID_BOOT_VERSION', `unsupported Android boot header version ${version}`);
    }
    const headerSize = header.readUInt32LE(STORED_HEADER_SIZE);
    if (headerSize < HEADER_SIZE || headerSize > header.readUInt32LE(PAGE_SIZE)) throw invalid();
    return new AndroidBootImage(file, header);
  }

  /** In bytes, as the header has it. */
  get headerSize(): number {
    return this.#header.readUInt32LE(STORED_HEADER_SIZE);
  }

  /** The bytes of a part. @throws AndroidBootError if it is not there or ends behind the end of the image. */
  component(name: AndroidComponent): Buffer {
    const pageSize = this.#header.readUInt32LE(PAGE_SIZE);
    // Five numbers of 32 bits and a page each: far from the limits of a number.
    let offset = pageSize;
    for (const [payload, field] of PAYLOADS) {
      const size = this.#header.readUInt32LE(field);
      if (payload === name) {
        if (size === 0) {
          throw new AndroidBootError('ANDROID_BOOT_NO_COMPONENT', `component ${name} is not present`);
        }
        if (offset + size > this.#file.size) throw invalid();
        return this.#file.read(offset, size);
      }
      offset += Math.ceil(size / pageSize) * pageSize;
    }
    throw invalid();
  }

  /** @throws AndroidBootError `ANDROID_BOOT_INVALID` if it is not UTF-8. */
  cmdline(): string {
    const text = decodeUtf8(Buffer.concat([this.#text(CMDLINE), this.#text(EXTRA_CMDLINE)]));
    if (text === undefined) throw new AndroidBootError('ANDROID_BOOT_INVALID', 'kernel command line is not UTF-8');
    return text;
  }

  /** Up to the first NUL, or the whole field. */
  #text({ offset, size }: { offset: number; size: number }): Buffer {
    const field = this.#header.subarray(offset, offset + size);
    const end = field.indexOf(0);
    return end < 0 ? field : field.subarray(0, end);
  }
}

function invalid(): AndroidBootError {
  return new AndroidBootError('ANDROID_BOOT_INVALID', 'invalid Android boot image header');
}
