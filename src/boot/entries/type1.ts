import { type ByteString, byteStringFromText, quoteBytes } from '../../bytes/byte-string.js';
import { decodeUtf8 } from '../../bytes/text.js';
import { type Directory, fileSize, type RegularFile } from '../../composefs/tree/inode.js';
import { getFile, splitPath } from '../../composefs/tree/lookup.js';
import { type ObjectSource, readFile } from '../../composefs/tree/read-file.js';
import { withContext } from '../../errors.js';
import { BootLoaderEntryFile } from '../formats/bls.js';
import { FILE_KEYS, Type1Entry } from './boot-entry.js';
import { entriesOf, invalidEntry, path, requireFile } from './tree-files.js';

const ENTRIES = '/boot/loader/entries/';

/** What is read of an entry: those of systems have some hundred bytes. */
const MAX_ENTRY_SIZE = 16 * 1024 * 1024;

/**
 * The entries `/boot/loader/entries/*.conf` of a tree, with the files that they name by paths from the tree's root
 * (spec 50 §4.1).
 *
 * @throws ImageError for values that lead to no file; ComposefsError `INVALID_BOOT_ENTRY`
 */
export function findType1Entries(root: Directory, objects: ObjectSource): Type1Entry[] {
  const entries: Type1Entry[] = [];
  for (const [name, inode] of entriesOf(root, path(ENTRIES))) {
    if (!name.endsWith('.conf')) continue;
    const text = readEntry(name, requireFile(ENTRIES, name, inode), objects);
    const entry = new BootLoaderEntryFile(text);
    entries.push(new Type1Entry(name, entry, filesOf(root, name, entry)));
  }
  return entries;
}

function readEntry(name: ByteString, file: RegularFile, objects: ObjectSource): string {
  if (fileSize(file) > MAX_ENTRY_SIZE) {
    throw invalidEntry(`${ENTRIES}${quoteBytes(name)} of ${fileSize(file)} bytes is too large for a boot loader entry`);
  }
  const text = decodeUtf8(readFile(file, objects));
  if (text === undefined) throw invalidEntry(`${ENTRIES}${quoteBytes(name)} is not UTF-8`);
  return text;
}

function filesOf(root: Directory, name: ByteString, entry: BootLoaderEntryFile): Map<string, RegularFile> {
  const files = new Map<string, RegularFile>();
  for (const key of FILE_KEYS) {
    for (const value of entry.getValues(key)) {
      if (files.has(value)) continue;
      const file = withContext(`${key} of ${ENTRIES}${quoteBytes(name)}`, () => {
        const place = splitPath(root, byteStringFromText(value));
        return getFile(place.directory, place.name);
      });
      files.set(value, file);
    }
  }
  return files;
}
