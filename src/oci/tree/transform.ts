/** Turning a tree into the form that every way of unpacking an image agrees on (spec 30 §9). */

import { type ByteString, byteStringFromText } from '../../bytes/byte-string.js';
import { ImageError } from '../../composefs/tree/image-error.js';
import { Directory } from '../../composefs/tree/inode.js';
import { getDirectory } from '../../composefs/tree/lookup.js';
import { DEFAULT_DIRECTORY_STAT, type Stat } from '../../composefs/tree/stat.js';
import { filterXattrs } from '../../composefs/tree/walk.js';
import { ComposefsError } from '../../errors.js';

/**
 * Which xattrs an image keeps. `allowlist-only`: `security.capability`; `keep-user-xattrs`: those and
 * `user.*`.
 */
export type XattrFiltering = 'allowlist-only' | 'keep-user-xattrs';

/** All {@link XattrFiltering}s; the first is the default. */
export const XATTR_FILTERINGS: readonly XattrFiltering[] = ['allowlist-only', 'keep-user-xattrs'];

/** The xattrs that come from the image and not from the host it was unpacked on. */
export const CONTAINER_XATTR_ALLOWLIST: readonly ByteString[] = [byteStringFromText('security.capability')];

const USR = byteStringFromText('usr');
const RUN = byteStringFromText('run');

/** How the tree of an image is brought into its final form. */
export interface OciTransformOptions {
  /** Default `allowlist-only`. */
  readonly xattrs?: XattrFiltering | undefined;
  /** Fail as the reference does if `/usr` is not a directory, or `/run` is something else. */
  readonly strict?: boolean | undefined;
}

/** @throws ComposefsError `INVALID_XATTR_FILTERING` for any text that is not one of {@link XATTR_FILTERINGS}. */
export function parseXattrFiltering(text: string): XattrFiltering {
  const found = XATTR_FILTERINGS.find((filtering) => filtering === text);
  if (found !== undefined) return found;
  const expected = XATTR_FILTERINGS.map((filtering) => `"${filtering}"`).join(' or ');
  const message = `invalid xattr filtering mode ${JSON.stringify(text)} (expected ${expected})`;
  throw new ComposefsError('INVALID_XATTR_FILTERING', message);
}

export function isAllowedContainerXattr(name: ByteString): boolean {
  return CONTAINER_XATTR_ALLOWLIST.includes(name);
}

/**
 * Root metadata from `/usr`, an empty `/run`, filtered xattrs. Everything else stays. Without a directory `/usr` the
 * root is as if it were 0755, of root, at the epoch; a `/run` that is not a directory stays as it is.
 *
 * @throws ImageError if it is to be `strict`, and `/usr` is missing or not a directory, or `/run` not a directory.
 */
export function transformForOci(root: Directory, options: OciTransformOptions = {}): void {
  if (options.strict === true) {
    copyRootMetadataFromUsr(root);
    canonicalizeRun(root);
  } else {
    const usr = root.lookup(USR);
    root.stat = usr instanceof Directory ? usr.stat : DEFAULT_DIRECTORY_STAT;
    const run = root.lookup(RUN);
    if (run instanceof Directory) emptyRun(run, root.stat);
  }
  const keepsUserXattrs = options.xattrs === 'keep-user-xattrs';
  filterXattrs(root, (name) => isAllowedContainerXattr(name) || (keepsUserXattrs && name.startsWith('user.')));
}

/**
 * Gives the root, which layers need not mention, the stat of `/usr` with all its xattrs.
 *
 * @throws ImageError if `/usr` is missing or not a directory.
 */
export function copyRootMetadataFromUsr(root: Directory): void {
  root.stat = getDirectory(root, USR).stat;
}

/**
 * Empties `/run`, a mount point at run time, and gives it the mtime of `/usr`. Nothing happens without `/run`.
 *
 * @throws ImageError if `/run` or `/usr` is not a directory.
 */
export function canonicalizeRun(root: Directory): void {
  const run = root.lookup(RUN);
  if (run === undefined) return;
  if (!(run instanceof Directory)) throw new ImageError('not-a-directory', RUN);
  emptyRun(run, getDirectory(root, USR).stat);
}

function emptyRun(run: Directory, { mtimeSec, mtimeNsec }: Stat): void {
  run.stat = { ...run.stat, mtimeSec, mtimeNsec };
  run.clear();
}
