import { type ByteString, concatBytes } from '../../bytes/byte-string.js';
import { Directory, type Inode } from '../../composefs/tree/inode.js';
import { getDirectoryOpt } from '../../composefs/tree/lookup.js';
import { EFI_ADDON_FILE_EXT, EFI_EXT, type PEType, Type2Entry } from './boot-entry.js';
import { modulesDirectories, path, requireFile } from './tree-files.js';

interface OpenDirectory {
  /** Relative to where the search began, with a slash at its end unless it is empty. */
  readonly prefix: ByteString;
  readonly entries: Iterator<readonly [ByteString, Inode], unknown>;
}

/**
 * Unified kernel images and their addons: `*.efi` at any depth below `/boot/EFI/Linux`, `/boot/loader/addons` and the
 * directories in `/usr/lib/modules` (spec 50 §4.2).
 *
 * @throws ComposefsError `INVALID_BOOT_ENTRY` for a `*.efi` that is no regular file.
 */
export function findType2Entries(root: Directory): Type2Entry[] {
  const entries: Type2Entry[] = [];
  scan(entries, getDirectoryOpt(root, path('/boot/EFI/Linux')), undefined, 'ukiAddon');
  scan(entries, getDirectoryOpt(root, path('/boot/loader/addons')), undefined, 'globalUkiAddon');
  for (const [kver, directory] of modulesDirectories(root)) scan(entries, directory, kver, 'ukiAddon');
  return entries;
}

/** In byte order, depth first, without recursion: trees can be deeper than the call stack. */
function scan(found: Type2Entry[], start: Directory | undefined, kver: ByteString | undefined, addon: PEType): void {
  if (start === undefined) return;
  const open: OpenDirectory[] = [{ prefix: path(''), entries: start.entries() }];
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const next = top.entries.next();
    if (next.done === true) {
      open.pop();
      continue;
    }
    const [name, inode] = next.value as readonly [ByteString, Inode];
    const filePath = concatBytes(top.prefix, name);
    if (inode instanceof Directory) {
      open.push({ prefix: concatBytes(filePath, path('/')), entries: inode.entries() });
    } else if (name.endsWith(EFI_EXT)) {
      const peType = name.endsWith(EFI_ADDON_FILE_EXT) ? addon : 'uki';
      found.push(new Type2Entry(kver, filePath, requireFile('', name, inode), peType));
    }
  }
}
