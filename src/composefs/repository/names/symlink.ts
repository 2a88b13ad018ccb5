import { ComposefsError } from '../../../errors.js';
import { randomName, SYMLINK_TEMP_PREFIX, TEMP_NAME_ATTEMPTS } from '../../../fs/random-name.js';
import type { RepositoryRoot } from '../directory/root.js';

/**
 * Makes `<root>/<name>` a relative symlink to `<root>/<target>`, replacing another symlink at once (spec 10 §11).
 *
 * Directories of `name` are made as far as it does not share them with `target`.
 *
 * @returns false if it was that symlink already.
 */
export function createSymlink(root: RepositoryRoot, name: string, target: string): boolean {
  const directory = components(name).slice(0, -1);
  const targetParts = components(target);
  let common = 0;
  while (common < directory.length && directory[common] === targetParts[common]) common++;
  if (common === targetParts.length) {
    throw new ComposefsError('EINVAL', `symlink ${name} cannot point to a directory that holds it: ${target}`);
  }
  for (let length = common + 1; length <= directory.length; length++) {
    makeParent(root, directory.slice(0, length).join('/'));
  }
  const up = directory.slice(common).map(() => '..');
  return replaceSymlink(root, components(name).join('/'), [...up, ...targetParts.slice(common)].join('/'));
}

function makeParent(root: RepositoryRoot, path: string): void {
  try {
    root.makeDirectory(path, 0o755);
  } catch (cause) {
    // A link in the place of `streams/refs` or above is no name.
    const isBelowRefs = path.split('/').length > 2;
    if (!isBelowRefs || root.lstat(path)?.isSymbolicLink() !== true) throw cause;
    throw new ComposefsError('ENOTDIR', `${root.nameOf(path)} is a name itself: no other name can lie below it`, {
      cause,
      hint: 'take a name that does not begin with another one and a slash, or remove that first',
    });
  }
}

/** The part of a path that counts: no repeated slashes, no `.`. */
function components(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

/** Spec 10 §11.2: whoever looks sees the old link or the new one, never none. */
function replaceSymlink(root: RepositoryRoot, name: string, text: string): boolean {
  if (root.makeLink(name, text)) return true;
  if (root.lstat(name)?.isDirectory() === true) {
    throw new ComposefsError('EISDIR', `${root.nameOf(name)} is a directory: names below it are taken`, {
      hint: 'take a name that is no prefix of others, or remove those first',
    });
  }
  if (root.readLink(name)?.toString() === text) return false;
  for (let attempt = 0; attempt < TEMP_NAME_ATTEMPTS; attempt++) {
    const temporary = randomName(SYMLINK_TEMP_PREFIX);
    if (!root.makeLink(temporary, text)) continue;
    try {
      root.rename(temporary, name);
    } catch (error) {
      root.unlink(temporary);
      throw error;
    }
    return true;
  }
  throw new ComposefsError('EEXIST', `no free temporary name in ${root.path} after ${TEMP_NAME_ATTEMPTS} attempts`);
}
