import { closeSync } from 'node:fs';
import { closeBacking, openBacking } from '../linux/fuse-device.js';

interface BackingFile {
  readonly id: number;
  opens: number;
}

/**
 * Files that the kernel reads without asking us (Linux 6.9, `FUSE_PASSTHROUGH`). All open files of an inode must have
 * the same backing file, so there is one for each inode that is open.
 */
export class BackingFiles {
  readonly #deviceFd: number;
  readonly #files = new Map<number, BackingFile>();
  #available = true;

  constructor(deviceFd: number) {
    this.#deviceFd = deviceFd;
  }

  /**
   * The backing file for one more open file of an inode.
   *
   * @param openObject is called if the inode is not open yet; what it returns is closed here, unless the kernel refuses
   *   the file: then it is in `fd`, and so are all that come after.
   */
  open(nid: number, openObject: () => number): { readonly id: number } | { readonly fd: number } {
    const known = this.#files.get(nid);
    if (known !== undefined) {
      known.opens++;
      return known;
    }
    const fd = openObject();
    if (!this.#available) return { fd };
    try {
      const file = { id: openBacking(this.#deviceFd, fd), opens: 1 };
      this.#files.set(nid, file);
      closeSync(fd);
      return file;
    } catch {
      // No privilege, or a file system that is stacked too deep. An inode must not be open in both ways: never again.
      this.#available = false;
      return { fd };
    }
  }

  release(nid: number): void {
    const file = this.#files.get(nid);
    if (file === undefined || --file.opens > 0) return;
    this.#files.delete(nid);
    closeBacking(this.#deviceFd, file.id);
  }
}
