/** What is to be written to a boot partition for an image (spec 50 §10), before anything is. */

import { type ByteString, byteStringFromText, concatBytes, quoteBytes, sliceBytes } from '../../bytes/byte-string.js';
import type { RegularFile } from '../../composefs/tree/inode.js';
import { pathComponents } from '../../composefs/tree/path.js';
import type { ObjectSource } from '../../composefs/tree/read-file.js';
import { ComposefsError, withContext } from '../../errors.js';
import { checkArgument } from '../cmdline/arguments.js';
import { ComposefsCmdline } from '../cmdline/composefs-argument.js';
import { type BootEntry, EFI_ADDON_DIR_EXT, EFI_EXT, type Type1Entry, Type2Entry } from '../entries/boot-entry.js';
import { invalidEntry } from '../entries/tree-files.js';
import { bytesOfFile } from '../formats/file-bytes.js';
import { getCmdline } from '../formats/uki.js';

/** What a boot entry is to boot, and how it is to be written. */
export interface BootWriteOptions {
  /** The image that the entry is to boot. A UKI must name it already. */
  readonly karg: ComposefsCmdline;
  /** The name of the entry, without `.conf` or `.efi`. Default: what the image calls it, or the kernel version. */
  readonly entryId?: string | undefined;
  /** Below the boot partition, for boot loader entries and their files; not for UKIs. */
  readonly bootSubdir?: string | undefined;
  /** More kernel arguments; a UKI takes none. */
  readonly cmdlineExtra?: readonly string[] | undefined;
  /** Write the addons of a UKI too, and the global ones. The reference never does. Default false. */
  readonly addons?: boolean | undefined;
}

/** A file to be written. */
export interface BootFile {
  /** Relative to the boot partition; no component is `.`, `..` or empty. */
  readonly path: ByteString;
  readonly content: RegularFile;
}

/** What {@link writeBootEntry} writes. */
export interface BootPlan {
  readonly karg: ComposefsCmdline;
  /** What the entry needs, written first. */
  readonly files: readonly BootFile[];
  /** What a boot loader finds, written last: the `.conf` of an entry, or the UKI. */
  readonly entry: BootFile;
  /** Of a `.conf`: where `files` can be moved, and what has to say so. */
  readonly type1?: Type1Entry | undefined;
  readonly bootSubdir: string | undefined;
}

/**
 * What makes an image bootable, of all that it has to boot from: the first entry, which is what the reference writes.
 *
 * @param entries of {@link getBootResources}; they stay as they are.
 * @throws ComposefsError `NO_BOOT_ENTRIES`, `INVALID_BOOT_ENTRY`, `INVALID_ENTRY_ID`, `INVALID_KERNEL_ARGUMENT`,
 *   `NO_INITRAMFS`, `UKI_WITHOUT_KARG`, `WRONG_UKI_DIGEST`, `ABOOT_UNSUPPORTED`; UkiError
 */
export function planBootEntry(
  entries: readonly BootEntry[],
  objects: ObjectSource,
  options: BootWriteOptions,
): BootPlan {
  checkOptions(options);
  const entry = entryToWrite(entries);
  switch (entry?.type) {
    case undefined:
      throw new ComposefsError('NO_BOOT_ENTRIES', 'No boot entries!', {
        hint: 'an image to boot from has boot loader entries or UKIs in /boot, or a kernel with initramfs.img in /usr/lib/modules',
      });
    case 'type1':
      return planType1(entry.clone(), options.entryId !== undefined, options);
    case 'vmlinuz':
      checkName(options.entryId ?? entry.kver, 'the kernel version');
      return planType1(entry.intoType1(options.entryId), options.entryId !== undefined, options);
    case 'type2':
      return planType2(entry, entries, objects, options);
    case 'aboot':
      throw new ComposefsError('ABOOT_UNSUPPORTED', 'writing aboot payloads is not supported');
  }
}

/** The first that boots by itself, as addons do not. */
export function entryToWrite(entries: readonly BootEntry[]): BootEntry | undefined {
  return entries.find((entry) => entry.type !== 'type2' || entry.peType === 'uki') ?? entries[0];
}

/** Spec 50 §10.2. */
function planType1(type1: Type1Entry, relocate: boolean, options: BootWriteOptions): BootPlan {
  const { karg, entryId, bootSubdir, cmdlineExtra = [] } = options;
  if (relocate && entryId !== undefined) type1.relocate(bootSubdir, entryId);
  type1.entry.adjustCmdline(karg.toCmdlineArg(), cmdlineExtra);
  return { karg, ...type1Files(type1, bootSubdir), type1, bootSubdir };
}

/** Where an entry and its files go, as it is now. */
export function type1Files(type1: Type1Entry, bootSubdir: string | undefined): Pick<BootPlan, 'files' | 'entry'> {
  const base = bootSubdir === undefined ? '' : `${bootSubdir}/`;
  const files = [...type1.files].map(([value, content]): BootFile => {
    if (!value.startsWith('/')) {
      throw invalidEntry(
        `${quoteBytes(type1.filename)} names the file ${JSON.stringify(value)} by a path that is not absolute`,
      );
    }
    return { path: cleanPath(byteStringFromText(base + value)), content };
  });
  const data = Buffer.from(type1.entry.toString());
  const path = cleanPath(concatBytes(byteStringFromText(`${base}loader/entries/`), type1.filename));
  return { files, entry: { path, content: { storage: 'inline', data } } };
}

/** Spec 50 §10.3. */
function planType2(
  found: Type2Entry,
  entries: readonly BootEntry[],
  objects: ObjectSource,
  options: BootWriteOptions,
): BootPlan {
  const { karg, entryId, cmdlineExtra = [] } = options;
  if (cmdlineExtra.length > 0) {
    throw new ComposefsError('UKI_CMDLINE', "Can't add --cmdline args to UKIs", {
      hint: 'the command line of a UKI is part of what is signed: put the arguments into it, or into an addon',
    });
  }
  const uki = new Type2Entry(found.kver, found.filePath, found.file, found.peType);
  if (entryId !== undefined) uki.rename(entryId);
  checkUki(uki, objects, karg);
  const addons = options.addons === true ? addonsOf(found, uki, entries) : [];
  return { karg, files: addons, entry: { path: linuxPath(uki.filePath), content: uki.file }, bootSubdir: undefined };
}

/** The command line of a UKI must name the image. */
function checkUki(uki: Type2Entry, objects: ObjectSource, { algorithm, digest }: ComposefsCmdline): void {
  const cmdline = withContext(`UKI ${quoteBytes(uki.filePath)}`, () => getCmdline(bytesOfFile(uki.file, objects)));
  const embedded = withContext(
    () => `parsing UKI .cmdline section: ${JSON.stringify(cmdline)}`,
    () => ComposefsCmdline.fromCmdline(cmdline, algorithm),
  );
  if (embedded === undefined) {
    const message = `UKI .cmdline has no composefs karg (composefs= or composefs.digest=): ${JSON.stringify(cmdline)}`;
    throw new ComposefsError('UKI_WITHOUT_KARG', message, {
      hint: 'build the UKI with the argument that cfsctl compute-karg prints for the image without it',
    });
  }
  embedded.validateDigest([digest]);
}

/** The addons in the directory of a UKI, at the name that it has now, and those for all UKIs. */
function addonsOf(found: Type2Entry, written: Type2Entry, entries: readonly BootEntry[]): BootFile[] {
  const directory = `${sliceBytes(found.filePath, 0, -EFI_EXT.length)}${EFI_ADDON_DIR_EXT}/`;
  const target = `${sliceBytes(written.filePath, 0, -EFI_EXT.length)}${EFI_ADDON_DIR_EXT}/` as ByteString;
  const files: BootFile[] = [];
  for (const entry of entries) {
    if (entry.type !== 'type2') continue;
    if (entry.peType === 'globalUkiAddon') {
      files.push({ path: cleanPath(`loader/addons/${entry.filePath}` as ByteString), content: entry.file });
    } else if (entry.peType === 'ukiAddon' && entry.kver === found.kver && entry.filePath.startsWith(directory)) {
      const path = linuxPath(concatBytes(target, sliceBytes(entry.filePath, directory.length)));
      files.push({ path, content: entry.file });
    }
  }
  return files;
}

function linuxPath(filePath: ByteString): ByteString {
  return cleanPath(`EFI/Linux/${filePath}` as ByteString);
}

/** A path that stays below where it begins. @throws ComposefsError `INVALID_BOOT_ENTRY` */
function cleanPath(path: ByteString): ByteString {
  const components = pathComponents(path);
  if (components.length === 0 || components.some((part) => part === '..' || part === '.' || part.includes('\0'))) {
    throw invalidEntry(`${quoteBytes(path)} is not a path below the boot partition`);
  }
  return components.join('/') as ByteString;
}

function checkOptions({ entryId, bootSubdir, cmdlineExtra = [] }: BootWriteOptions): void {
  if (entryId !== undefined) checkName(entryId, 'the entry id');
  for (const part of bootSubdir?.split('/').filter((component) => component !== '') ?? []) {
    checkName(part, 'the subdirectory');
  }
  for (const argument of cmdlineExtra) {
    if (argument === '') throw new ComposefsError('INVALID_KERNEL_ARGUMENT', 'an empty kernel argument');
    checkArgument(argument);
  }
}

/** A name that is one component, stands on a line, and leaves room for `.conf` in a name of 255 bytes. */
function checkName(name: string, what: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  const isBad = name === '' || name === '.' || name === '..' || /[/\0-\x1f\x7f]/.test(name);
  if (!isBad && Buffer.byteLength(name) <= 250) return;
  const why = isBad ? 'is not the name of a file' : 'is too long';
  throw new ComposefsError('INVALID_ENTRY_ID', `${what} ${JSON.stringify(name)} ${why}`);
}
