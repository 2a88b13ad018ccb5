/** Turning the tree of an image into that of its boot image (spec 50 §2). */

import { byteStringFromText } from '../bytes/byte-string.js';
import type { Directory } from '../composefs/tree/inode.js';
import { getDirectory } from '../composefs/tree/lookup.js';
import type { ObjectSource } from '../composefs/tree/read-file.js';
import type { BootEntry } from './entries/boot-entry.js';
import { getBootResources } from './entries/find.js';
import { selabel, selabelFromDir } from './selinux/label-tree.js';

const USR = byteStringFromText('usr');
/** What is mounted over: a digest that is in a boot loader's entry cannot depend on that entry. */
const EMPTIED = [byteStringFromText('boot'), byteStringFromText('sysroot')];

/**
 * Empties `/boot` and `/sysroot`, and labels everything by the image's own SELinux policy. The OCI transform comes before.
 *
 * @param objects where the content of large files is.
 * @returns what there is to boot from, of the tree as it was.
 * @throws ImageError if `/usr`, `/boot` or `/sysroot` is missing or no directory; what `getBootResources` and `selabel` throw.
 */
export function transformForBoot(root: Directory, objects: ObjectSource): BootEntry[] {
  const entries = getBootResources(root, objects);
  emptyBootDirectories(root);
  selabel(root, objects);
  return entries;
}

/**
 * {@link transformForBoot} for a tree that was read from a directory, in which the policy then is. The same content gives
 * the same tree; nobody looks for what there is to boot from.
 */
export function transformForBootFromDir(root: Directory, directory: string | Buffer): void {
  emptyBootDirectories(root);
  selabelFromDir(root, directory);
}

/** Removes what is in them, and gives them the mtime of `/usr`; modes, owners and xattrs stay. */
function emptyBootDirectories(root: Directory): void {
  const { mtimeSec, mtimeNsec } = getDirectory(root, USR).stat;
  for (const name of EMPTIED) {
    const directory = getDirectory(root, name);
    directory.stat = { ...directory.stat, mtimeSec, mtimeNsec };
    directory.clear();
  }
}
