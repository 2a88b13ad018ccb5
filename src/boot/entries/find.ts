import type { Directory } from '../../composefs/tree/inode.js';
import type { ObjectSource } from '../../composefs/tree/read-file.js';
import { ComposefsError } from '../../errors.js';
import { findAboot } from './aboot.js';
import type { BootEntry } from './boot-entry.js';
import { findKernels } from './kernels.js';
import { findType1Entries } from './type1.js';
import { findType2Entries } from './type2.js';

/**
 * Everything in a tree that a machine can be booted from (spec 50 §4): boot loader entries, then UKIs and their addons,
 * then kernels in `/usr/lib/modules`, each in byte order of their names, then at most one aboot payload.
 *
 * Paths lead through directories only. The tree stays as it is.
 *
 * @param root a tree whose `/boot` has not been emptied.
 * @throws ImageError for entries whose files are missing, or are no files; ComposefsError `INVALID_BOOT_ENTRY` for
 *   entries that are no text, and for aboot payloads that are not alone.
 */
export function getBootResources(root: Directory, objects: ObjectSource): BootEntry[] {
  const others = [...findType1Entries(root, objects), ...findType2Entries(root), ...findKernels(root)];
  const aboot = findAboot(root, objects);
  if (aboot === undefined) return others;
  if (others.some((entry) => entry.type !== 'type2' || entry.peType === 'uki')) {
    throw new ComposefsError('INVALID_BOOT_ENTRY', 'aboot payload cannot be combined with other boot artifacts');
  }
  return [...others, aboot];
}
