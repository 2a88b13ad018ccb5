import { lstatSync, readdirSync } from 'node:fs';
import { isErrno } from '../../../fs/files.js';
import type { RepositoryRoot } from './root.js';

/** The directory of what was received of blobs that are not stored yet: one file a blob, named by its digest. */
export const PARTIAL = '.partial';

const PARTIAL_NAME = /^(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$/;

export interface PartialFile {
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  readonly mtimeMs: number;
}

/**
 * The received parts in `.partial/`. Nothing else that is there is ours: other names, what is no regular file, and files
 * that have another name somewhere, which may be anybody's.
 *
 * @throws UnsafePathError if `.partial` is a link.
 */
export function listPartials(root: RepositoryRoot): PartialFile[] {
  try {
    return root.within(PARTIAL, (directory) =>
      readdirSync(directory).flatMap((name) => {
        if (!PARTIAL_NAME.test(name)) return [];
        const stat = lstatSync(`${directory}/${name}`, { throwIfNoEntry: false });
        if (stat?.isFile() !== true || stat.nlink !== 1) return [];
        return [{ name, size: stat.size, mtimeMs: stat.mtimeMs }];
      }),
    );
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
