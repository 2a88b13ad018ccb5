import { realpathSync } from 'node:fs';
import { withContext } from '../../errors.js';
import { type UnmountOptions, unmountImage } from './unmount.js';

/** A mount that is there, and the way to undo it: `await using mount = …`, or {@link unmount}. */
export class Mount implements AsyncDisposable {
  /** Where it is; absolute, without symlinks. */
  readonly path: string;
  #isGone = false;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Undoes it, as `unmountImage` does. Does nothing a second time.
   *
   * @throws ComposefsError `NOT_MOUNTED` if somebody else has done it, `EBUSY`, `EPERM`; SystemError
   */
  async unmount(options: UnmountOptions = {}): Promise<void> {
    if (this.#isGone) return;
    unmountImage(this.path, options);
    this.#isGone = true;
  }

  /** {@link unmount}, at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.unmount();
  }
}

/** The place that a mount at a path will have, whatever directory is current later. */
export function mountPath(path: string): string {
  return withContext(`Opening mount point '${path}'`, () => realpathSync(path));
}
