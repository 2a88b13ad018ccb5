/** What an image has to boot from (spec 50 §4), and how it changes before it is written (§6). */

import { type ByteString, byteStringFromText, concatBytes, quoteBytes } from '../../bytes/byte-string.js';
import type { RegularFile } from '../../composefs/tree/inode.js';
import { ComposefsError } from '../../errors.js';
import { BootLoaderEntryFile } from '../formats/bls.js';

/** The end of the name of a UKI. */
export const EFI_EXT = '.efi';
/** The end of the name of the directory that holds the addons of one UKI. */
export const EFI_ADDON_DIR_EXT = '.efi.extra.d';
/** The end of the name of an addon to a UKI. */
export const EFI_ADDON_FILE_EXT = '.addon.efi';

/** The keys of a boot loader entry whose values are files that are kept with it, in the order they are looked at. */
export const FILE_KEYS = ['linux', 'initrd', 'efi'] as const;

/** An entry of the Boot Loader Specification, with the files that it names. */
export class Type1Entry {
  readonly type = 'type1';
  /** `<name>.conf` in `loader/entries`. */
  filename: ByteString;
  readonly entry: BootLoaderEntryFile;
  /** By the value that names them. */
  readonly files: Map<string, RegularFile>;

  constructor(filename: ByteString, entry: BootLoaderEntryFile, files: Map<string, RegularFile>) {
    this.filename = filename;
    this.entry = entry;
    this.files = files;
  }

  /** A copy that can be changed for itself; the files are shared. */
  clone(): Type1Entry {
    return new Type1Entry(this.filename, this.entry.clone(), new Map(this.files));
  }

  /**
   * A copy whose files are all in one directory of another name, each with a name of its own there. Unlike
   * {@link relocate} it can be used after that, with the same subdirectory, and keeps the name of the entry.
   */
  moved(directory: string, bootSubdir: string | undefined): Type1Entry {
    const prefix = bootSubdir === undefined ? '' : `/${bootSubdir}`;
    const places = new Map<string, string>();
    const files = new Map<string, RegularFile>();
    for (const [value, file] of this.files) {
      const name = value.slice(value.lastIndexOf('/') + 1);
      const place = `/${directory}/${name}`;
      const free = files.has(place) ? `/${directory}/${files.size}-${name}` : place;
      places.set(value, free);
      files.set(free, file);
    }
    const entry = this.entry.clone();
    entry.mapValues(FILE_KEYS, (value) => {
      const place = places.get(value);
      if (place !== undefined) return place;
      const below = value.startsWith(`${prefix}/`) ? places.get(value.slice(prefix.length)) : undefined;
      return below === undefined ? value : prefix + below;
    });
    return new Type1Entry(this.filename, entry, files);
  }

  /**
   * Moves the entry and its files to names of their own: `loader/entries/<entryId>.conf` and `/<entryId>/…`. Values
   * without a slash stay. Of files with the same last component the later one wins.
   *
   * @param bootSubdir below which the boot loader finds the files.
   */
  relocate(bootSubdir: string | undefined, entryId: string): void {
    this.filename = byteStringFromText(`${entryId}.conf`);
    const prefix = bootSubdir === undefined ? '' : `/${bootSubdir}`;
    this.entry.mapValues(FILE_KEYS, (value) => {
      const slash = value.lastIndexOf('/');
      if (slash < 0) return value;
      const path = `/${entryId}/${value.slice(slash + 1)}`;
      const file = this.files.get(value);
      if (file !== undefined) {
        this.files.delete(value);
        this.files.set(path, file);
      }
      return prefix + path;
    });
  }
}

/** What a PE file in an image is: a UKI, an addon to one UKI, or an addon to all. */
export type PEType = 'uki' | 'ukiAddon' | 'globalUkiAddon';

/** A unified kernel image, or an addon to one or to all. */
export class Type2Entry {
  readonly type = 'type2';
  /** The directory in `/usr/lib/modules`; undefined for what is in `/boot`. */
  readonly kver: ByteString | undefined;
  /** Relative to where it was found: `foo.efi`, `foo.efi.extra.d/bar.addon.efi`. */
  filePath: ByteString;
  readonly file: RegularFile;
  readonly peType: PEType;

  constructor(kver: ByteString | undefined, filePath: ByteString, file: RegularFile, peType: PEType) {
    this.kver = kver;
    this.filePath = filePath;
    this.file = file;
    this.peType = peType;
  }

  /** Gives it the name `<name>.efi`, in the same directory. */
  rename(name: string): void {
    const parent = this.filePath.slice(0, this.filePath.lastIndexOf('/') + 1) as ByteString;
    this.filePath = concatBytes(parent, byteStringFromText(`${name}${EFI_EXT}`));
  }
}

/** A kernel with its modules: `/usr/lib/modules/<kver>/vmlinuz`. */
export class UsrLibModulesVmlinuz {
  readonly type = 'vmlinuz';
  readonly kver: string;
  readonly vmlinuz: RegularFile;
  readonly initramfs: RegularFile | undefined;

  constructor(kver: string, vmlinuz: RegularFile, initramfs: RegularFile | undefined) {
    this.kver = kver;
    this.vmlinuz = vmlinuz;
    this.initramfs = initramfs;
  }

  /**
   * The entry that boots it. Title and version are what the reference writes (spec 50, open point 2).
   *
   * @param entryId default: the kernel version.
   * @throws ComposefsError `NO_INITRAMFS`
   */
  intoType1(entryId: string = this.kver): Type1Entry {
    if (this.initramfs === undefined) {
      const where = `/usr/lib/modules/${this.kver}`;
      throw new ComposefsError('NO_INITRAMFS', `kernel ${this.kver} has no initramfs.img in ${where}`, {
        hint: `make one while the image is built, and put it at ${where}/initramfs.img`,
      });
    }
    const [vmlinuz, initramfs] = [`/${entryId}/vmlinuz`, `/${entryId}/initramfs.img`];
    const text = `# File created by composefs
title todoOS
version 0-todo
linux ${vmlinuz}
initrd ${initramfs}
`;
    const files = new Map([
      [vmlinuz, this.vmlinuz],
      [initramfs, this.initramfs],
    ]);
    return new Type1Entry(byteStringFromText(`${entryId}.conf`), new BootLoaderEntryFile(text), files);
  }
}

/** What an aboot artifact is packed as: a boot image of Android, version 2, or a UKI. */
export type AbootEncoding = 'androidV2' | 'uki';

/** A file of an image that goes whole to a partition. */
export interface AbootArtifact {
  /** In the image, absolute. */
  readonly path: ByteString;
  readonly file: RegularFile;
}

/** The payload of an Android boot partition, or of a ukiboot partition. */
export class AbootEntry {
  readonly type = 'aboot';
  readonly kver: string;
  readonly encoding: AbootEncoding;
  readonly payload: AbootArtifact;
  readonly vbmeta: AbootArtifact | undefined;

  constructor(kver: string, encoding: AbootEncoding, payload: AbootArtifact, vbmeta: AbootArtifact | undefined) {
    this.kver = kver;
    this.encoding = encoding;
    this.payload = payload;
    this.vbmeta = vbmeta;
  }
}

/** What an image can be booted from; `type` tells which. */
export type BootEntry = Type1Entry | Type2Entry | UsrLibModulesVmlinuz | AbootEntry;

/** For people: what it is and where. */
export function describeBootEntry(entry: BootEntry): string {
  switch (entry.type) {
    case 'type1':
      return `boot loader entry ${quoteBytes(entry.filename)}`;
    case 'type2':
      return `${entry.peType === 'uki' ? 'UKI' : 'UKI addon'} ${quoteBytes(entry.filePath)}`;
    case 'vmlinuz':
      return `kernel ${JSON.stringify(entry.kver)}`;
    case 'aboot':
      return `aboot payload ${quoteBytes(entry.payload.path)}`;
  }
}
