import { closeSync, constants, fstatSync, openSync, readlinkSync, statSync } from 'node:fs';
import { ComposefsError } from '../../errors.js';
import { renamePath } from '../../fs/rename-path.js';
import { procPath } from '../../linux/link.js';

/**
 * The path without links at which an open file or directory is. Who may change the path could let it lead elsewhere
 * between a look at it and the open; asked afterwards, it is that of what will be read.
 *
 * @throws ComposefsError `SOURCE_MOVED` where it is at no path any more.
 */
export function realPathOf(fd: number): string {
  const path = readlinkSync(procPath(fd));
  const here = fstatSync(fd, { bigint: true });
  const there = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (there?.ino === here.ino && there.dev === here.dev) return path;
  throw new ComposefsError('SOURCE_MOVED', `${path} was moved or removed while it was opened`);
}

/** A directory that stays the same, wherever paths lead meanwhile. */
export class OpenedDirectory {
  readonly realPath: string;
  readonly #fd: number;

  /** @throws system errors as they are, `ENOTDIR` too; ComposefsError `SOURCE_MOVED` */
  constructor(path: string) {
    this.#fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      this.realPath = realPathOf(this.#fd);
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  /**
   * Runs `action` with a path by which the directory is reached for the length of the call. Errors name it by the path that
   * it was opened under.
   */
  within<T>(action: (self: string) => T): T {
    const self = procPath(this.#fd);
    try {
      return action(self);
    } catch (error) {
      throw renamePath(error, self, this.realPath);
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}
