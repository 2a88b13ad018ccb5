import { mkdirSync, readlinkSync, renameSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ComposefsError } from '../../errors.js';
import { isErrno } from './files.js';
import { randomName, SYMLINK_TEMP_PREFIX, TEMP_NAME_ATTEMPTS } from './random-name.js';

/**
 * Makes `<root>/<name>` a relative symlink to `<root>/<target>`, replacing another symlink at once (spec 10 §11).
 *
 * Directories of `name` are made as far as it does not share them with `target`.
 *
 * @returns false if it was that symlink already.
 */
export function createSymlink(root: string, name: string, target: string): boolean {
  const directory = components(name).slice(0, -1);
  const targetParts = components(target);
  let common = 0;
  while (common < directory.length && directory[common] === targetParts[common]) common++;
  if (common === targetParts.length) {
    throw new ComposefsError('EINVAL', `symlink ${name} cannot point to a directory that holds it: ${target}`);
  }
  for (let length = common + 1; length <= directory.length; length++) {
    makeDirectory(join(root, ...directory.slice(0, length)));
  }
  const up = directory.slice(common).map(() => '..');
  return replaceSymlink(root, name, [...up, ...targetParts.slice(common)].join('/'));
}

/** The part of a path that counts: no repeated slashes, no `.`. */
function components(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o755 });
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  }
}

/** Spec 10 §11.2: whoever looks sees the old link or the new one, never none. */
function replaceSymlink(root: string, name: string, text: string): boolean {
  const path = join(root, name);
  if (createLink(text, path)) return true;
  if (readLink(path) === text) return false;
  for (let attempt = 0; attempt < TEMP_NAME_ATTEMPTS; attempt++) {
    const temporary = join(root, randomName(SYMLINK_TEMP_PREFIX));
    if (!createLink(text, temporary)) continue;
    try {
      renameSync(temporary, path);
    } catch (error) {
      unlinkSync(temporary);
      throw error;
    }
    return true;
  }
  throw new ComposefsError('EEXIST', `no free temporary name in ${root} after ${TEMP_NAME_ATTEMPTS} attempts`);
}

/** False if the name is taken. */
function createLink(text: string, path: string): boolean {
  try {
    symlinkSync(text, path);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

/** Undefined if it vanished meanwhile; EINVAL if it is not a symlink. */
function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
