/** What is on a boot partition: entries, UKIs, and the files that entries name. */

import { lstatSync, readSync } from 'node:fs';
import {
  type ByteString,
  byteStringFromText,
  byteStringToBuffer,
  byteStringToText,
  concatBytes,
} from '../../bytes/byte-string.js';
import { decodeUtf8 } from '../../bytes/text.js';
import { pathComponents } from '../../composefs/tree/path.js';
import { listDirectory } from '../../fs/directory-entries.js';
import { isErrno, readFully, withFd } from '../../fs/files.js';
import { openFileOnly, requireRegularFile } from '../../fs/open-file.js';
import { type ImageArgument, imageArguments } from '../cmdline/composefs-argument.js';
import { EFI_EXT, FILE_KEYS } from '../entries/boot-entry.js';
import { BootLoaderEntryFile } from '../formats/bls.js';
import type { FileBytes } from '../formats/file-bytes.js';
import { getCmdline } from '../formats/uki.js';

const ENTRIES = 'loader/entries';
const UKIS = 'EFI/Linux';

/** What is read of an entry on a boot partition. */
const MAX_ENTRY_SIZE = 1024 * 1024;

/** An entry or UKI on a boot partition. */
export interface InstalledEntry {
  /** Relative to the boot partition. */
  readonly path: ByteString;
  /** The images that its command line names; none for what boots something else, or cannot be read. */
  readonly images: readonly ImageArgument[];
  /** The files that it names, relative to the boot partition; those of UKIs are in it. */
  readonly files: readonly ByteString[];
}

/**
 * The entries in `loader/entries` and the UKIs in `EFI/Linux` of a boot partition, in byte order.
 *
 * @param partition where it is mounted.
 * @param subdir below it, in which entries and their files are; UKIs are not.
 */
export function listInstalledEntries(partition: string, subdir?: string): InstalledEntry[] {
  const base = subdir === undefined ? '' : `${pathComponents(byteStringFromText(subdir)).join('/')}/`;
  return [
    ...filesIn(partition, `${base}${ENTRIES}` as ByteString, '.conf').map((path) => type1Entry(partition, base, path)),
    ...filesIn(partition, UKIS as ByteString, EFI_EXT).map((path) => installedUki(partition, path)),
  ];
}

/** The way to a file on a boot partition, for Node's functions. */
export function onPartition(partition: string, path: ByteString): Buffer {
  return Buffer.concat([Buffer.from(`${partition}/`), byteStringToBuffer(path)]);
}

function filesIn(partition: string, directory: ByteString, extension: string): ByteString[] {
  const path = `${partition}/${directory}`;
  try {
    return listDirectory(path)
      .filter(({ name, kind }) => kind === 'regular-file' && name.toLowerCase().endsWith(extension))
      .map(({ name }) => concatBytes(directory, '/' as ByteString, name));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

function type1Entry(partition: string, base: string, path: ByteString): InstalledEntry {
  const text = readText(onPartition(partition, path));
  if (text === undefined) return { path, images: [], files: [] };
  const entry = new BootLoaderEntryFile(text);
  const values = FILE_KEYS.flatMap((key) => entry.getValues(key)).map(byteStringFromText);
  // An entry in a subdirectory names its files with it or without, as it was written.
  const files = values.flatMap((value) => [value, concatBytes(base as ByteString, value)]).map(normalize);
  return { path, images: imagesIn(entry.getValues('options').join(' ')), files: [...new Set(files)] };
}

function installedUki(partition: string, path: ByteString): InstalledEntry {
  try {
    return withFd(openFileOnly(onPartition(partition, path)), (fd) => {
      const size = requireRegularFile(fd, byteStringToText(path));
      return { path, images: imagesIn(getCmdline(fdBytes(fd, size))), files: [] };
    });
  } catch {
    // What is no UKI, or cannot be read, boots nothing that is known here.
    return { path, images: [], files: [] };
  }
}

/** What cannot be read is nobody's: it is left alone. */
function imagesIn(cmdline: string): ImageArgument[] {
  try {
    return imageArguments(cmdline);
  } catch {
    return [];
  }
}

function readText(path: Buffer): string | undefined {
  try {
    return withFd(openFileOnly(path), (fd) => decodeUtf8(readFully(fd, MAX_ENTRY_SIZE)));
  } catch (error) {
    // A file that went away meanwhile, or one that no boot loader would read.
    if (isErrno(error, 'FILE_TOO_LARGE', 'ENOENT')) return undefined;
    throw error;
  }
}

/** Without empty and dot components; what leads out of the partition is nothing on it. */
function normalize(value: ByteString): ByteString {
  return pathComponents(value).join('/') as ByteString;
}

function fdBytes(fd: number, size: number): FileBytes {
  return {
    size,
    read: (offset, length) => {
      const data = Buffer.alloc(length);
      for (let at = 0; at < length; ) {
        const count = readSync(fd, data, at, length - at, offset + at);
        if (count === 0) throw new RangeError('the file is shorter than it was');
        at += count;
      }
      return data;
    },
  };
}

/** Whether there is anything of that name; a symlink counts, wherever it leads. */
export function exists(path: Buffer): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
