/**
 * Finding things in a tree by path (spec 30 §7.5). Symlinks are never followed.
 */

import type { ByteString } from '../../bytes/byte-string.js';
import { ImageError } from './image-error.js';
import type { Leaf, RegularFile } from './inode.js';
import { Directory } from './inode.js';
import { fileName, isDots, parentPath, pathComponents } from './path.js';

/**
 * The directory at a path below `start`.
 *
 * @throws ImageError `invalid-filename` (the whole path) for a `..`; `not-found` (the whole path);
 *   `not-a-directory` (the component).
 */
export function getDirectory(start: Directory, path: ByteString): Directory {
  return walk(start, path, () => path);
}

/** {@link getDirectory}, but `not-found` names only the missing component: the form that callers who change the tree get. */
export function getDirectoryMut(start: Directory, path: ByteString): Directory {
  return walk(start, path, (component) => component);
}

/** {@link getDirectory}; undefined if something on the way is missing. Other errors stay. */
export function getDirectoryOpt(start: Directory, path: ByteString): Directory | undefined {
  return orUndefined(() => getDirectory(start, path));
}

/**
 * The directory that holds the last component of a path, which need not exist itself, and that component.
 *
 * @throws ImageError `invalid-filename` if the path has no file name, else as {@link getDirectory} of the parent.
 */
export function splitPath(start: Directory, path: ByteString): { directory: Directory; name: ByteString } {
  const name = checkFileName(path);
  return { directory: getDirectory(start, parentPath(path)), name };
}

/** {@link splitPath} with the errors of {@link getDirectoryMut}. */
export function splitPathMut(start: Directory, path: ByteString): { directory: Directory; name: ByteString } {
  const name = checkFileName(path);
  return { directory: getDirectoryMut(start, parentPath(path)), name };
}

/**
 * The leaf of that name: what a hard link refers to.
 *
 * @throws ImageError `not-found`, `is-a-directory`.
 */
export function getLeaf(directory: Directory, name: ByteString): Leaf {
  const inode = directory.lookup(name);
  if (inode === undefined) throw new ImageError('not-found', name);
  if (inode instanceof Directory) throw new ImageError('is-a-directory', name);
  return inode;
}

/**
 * The regular file of that name.
 *
 * @throws ImageError `not-found`, `is-a-directory`, `is-not-regular`.
 */
export function getFile(directory: Directory, name: ByteString): RegularFile {
  const { content } = getLeaf(directory, name);
  if (content.type !== 'regular') throw new ImageError('is-not-regular', name);
  return content.file;
}

/** {@link getFile}; undefined if there is no entry of that name. Other errors stay. */
export function getFileOpt(directory: Directory, name: ByteString): RegularFile | undefined {
  return orUndefined(() => getFile(directory, name));
}

function walk(start: Directory, path: ByteString, missing: (component: ByteString) => ByteString): Directory {
  let directory = start;
  for (const component of pathComponents(path)) {
    if (isDots(component)) throw new ImageError('invalid-filename', path);
    const child = directory.lookup(component);
    if (child === undefined) throw new ImageError('not-found', missing(component));
    if (!(child instanceof Directory)) throw new ImageError('not-a-directory', component);
    directory = child;
  }
  return directory;
}

function checkFileName(path: ByteString): ByteString {
  const name = fileName(path);
  if (name === undefined) throw new ImageError('invalid-filename', path);
  return name;
}

function orUndefined<T>(find: () => T): T | undefined {
  try {
    return find();
  } catch (error) {
    if (error instanceof ImageError && error.kind === 'not-found') return undefined;
    throw error;
  }
}
