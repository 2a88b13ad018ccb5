import { invalidImage } from './errors.js';

/**
 * Bounds the work that an image can cause.
 *
 * In a valid image inodes, shared xattrs and blocks do not overlap, so that what a walk reads adds up to no more than
 * the image. A hostile image of a megabyte can make thousands of inodes refer to the same bytes, and a reader that
 * copies them need gigabytes. Twice the image is allowed: V2 inodes without a chunk address are read 4 bytes too long.
 */
export class ReadBudget {
  #left: number;

  constructor(imageSize: number) {
    this.#left = 2 * imageSize;
  }

  /** @throws ErofsReaderError when the image has been used up. */
  charge(size: number): void {
    this.#left -= size;
    if (this.#left < 0) throw invalidImage('its parts overlap');
  }
}
