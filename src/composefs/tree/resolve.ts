/** Finding directories in a tree as a process finds them whose root directory is the tree's: symlinks are followed. */

import type { ByteString } from '../../bytes/byte-string.js';
import { MAXSYMLINKS } from '../../linux/constants.js';
import { ImageError } from './image-error.js';
import type { Inode } from './inode.js';
import { Directory } from './inode.js';
import { SYMLINK_TARGET_MAX } from './limits.js';
import { pathComponents } from './path.js';

/** Components of targets that one resolver walks: some seconds of work, a hundred times what any image needs. */
const FOLLOWED_MAX = 2 ** 25;

/** Where a path leads. */
export interface ResolvedDirectory {
  /** From the root to the last directory on the way that is there. */
  readonly chain: readonly [Directory, ...Directory[]];
  /** What is to be made below it, in order, so that the path leads to a directory. */
  readonly missing: readonly ByteString[];
  readonly followedLinks: boolean;
}

interface Step {
  readonly name: ByteString;
  /** Undefined: nothing of that name is there. */
  readonly inode: Inode | undefined;
}

/**
 * Resolves paths inside a tree that may change between the calls. No path leads out: `..` of the root is the root, and
 * absolute symlinks begin there. What is missing counts as a directory until the end, so that `none/../usr` is `usr`.
 */
export class PathResolver {
  readonly #root: Directory;
  #followed = 0;

  constructor(root: Directory) {
    this.#root = root;
  }

  /**
   * The directory of a path.
   *
   * @throws ImageError `not-a-directory` (the component), `too-many-links` (the whole path).
   */
  directory(path: ByteString): ResolvedDirectory {
    const steps: Step[] = [];
    const pending = pathComponents(path).reverse();
    let links = 0;
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === '.') continue;
      if (name === '..') {
        steps.pop();
        continue;
      }
      const parent = steps.length === 0 ? this.#root : steps.at(-1)?.inode;
      const inode = parent instanceof Directory ? parent.lookup(name) : undefined;
      if (inode === undefined || inode instanceof Directory || inode.content.type !== 'symlink') {
        steps.push({ name, inode });
        continue;
      }
      const { target } = inode.content;
      links += 1;
      if (links > MAXSYMLINKS || target.length > SYMLINK_TARGET_MAX) throw new ImageError('too-many-links', path);
      const components = pathComponents(target).reverse();
      this.#followed += components.length;
      if (this.#followed > FOLLOWED_MAX) throw new ImageError('too-many-links', path);
      if (target.startsWith('/')) steps.length = 0;
      for (const component of components) pending.push(component);
    }
    return { ...divide(this.#root, steps), followedLinks: links > 0 };
  }
}

function divide(root: Directory, steps: readonly Step[]): Pick<ResolvedDirectory, 'chain' | 'missing'> {
  const chain: [Directory, ...Directory[]] = [root];
  for (const [index, { name, inode }] of steps.entries()) {
    if (inode === undefined) return { chain, missing: steps.slice(index).map((step) => step.name) };
    if (!(inode instanceof Directory)) throw new ImageError('not-a-directory', name);
    chain.push(inode);
  }
  return { chain, missing: [] };
}

/** A path with `..` taken back by its text, as Go's `path.Clean("/" + path)` does; empty for the root. */
export function cleanPath(path: ByteString): ByteString {
  const kept: ByteString[] = [];
  for (const component of pathComponents(path)) {
    if (component === '..') kept.pop();
    else if (component !== '.') kept.push(component);
  }
  return kept.map((component) => `/${component}`).join('') as ByteString;
}
