import { type ByteString, quoteBytes } from '../../../bytes/byte-string.js';
import type { FormatEpoch } from '../format/constants.js';
import { escapeOverlayName } from '../format/overlay-names.js';
import {
  encodeXattrEntryStart,
  splitXattrName,
  XATTR_SUFFIX_MAX,
  XATTR_VALUE_MAX,
  xattrEntrySize,
  xattrFilterBit,
} from '../format/xattr-area.js';
import { InvalidTreeError } from './invalid-tree-error.js';
import { PLAIN_VALUE, type ValueForm } from './xattr-value.js';

/** A stored name, with all that follows from it. One object for equal names. */
export interface StoredName {
  readonly name: ByteString;
  readonly index: number;
  readonly suffix: ByteString;
  /** What its entries begin with; the length of the value is still to be written into it. */
  readonly start: Buffer;
  /** The bit of the name filter, as a mask. */
  readonly filterMask: number;
  readonly form: ValueForm;
  /** By the key of the value. */
  readonly entries: Map<string, SharedEntry>;
}

/** A name with a value, as inodes have it. */
export interface XattrEntry {
  readonly name: StoredName;
  /** Stands for the value, see {@link ValueForm}. */
  readonly key: string;
  /** Bytes of the value. */
  readonly valueSize: number;
  /** Bytes in the image. */
  readonly size: number;
  /** Number of inodes that have it. */
  users: number;
  /** Absolute offset of a shared entry. */
  readonly position: number;
}

/** An entry that all inodes refer to. */
export interface SharedEntry extends XattrEntry {
  position: number;
}

/** All xattrs of an image, each distinct name and pair once. */
export class XattrTable {
  readonly #epoch: FormatEpoch;
  readonly #names = new Map<ByteString, StoredName>();
  readonly #treeNames = new Map<ByteString, StoredName>();

  constructor(epoch: FormatEpoch) {
    this.#epoch = epoch;
  }

  /** A name of the writer's own, stored as it is. */
  internalName(name: ByteString, form: ValueForm = PLAIN_VALUE): StoredName {
    let stored = this.#names.get(name);
    if (stored === undefined) {
      stored = storedName(name, this.#epoch, form);
      this.#names.set(name, stored);
    }
    return stored;
  }

  /** A name of the tree, stored escaped where overlayfs would act on it (spec 20 §3.4). */
  treeName(name: ByteString): StoredName {
    let stored = this.#treeNames.get(name);
    if (stored === undefined) {
      stored = this.internalName(escapeOverlayName(name));
      this.#treeNames.set(name, stored);
    }
    return stored;
  }

  /** The entry of a pair: one object for equal pairs, so that they can be counted and shared. The caller counts its users. */
  entry(name: StoredName, key: string): SharedEntry {
    let entry = name.entries.get(key);
    if (entry === undefined) {
      const valueSize = name.form.size(key);
      if (valueSize > XATTR_VALUE_MAX) {
        throw new InvalidTreeError(
          'xattr',
          `value of xattr ${quoteBytes(name.name)} has ${valueSize} bytes (max 65535)`,
        );
      }
      entry = { name, key, valueSize, size: xattrEntrySize(name.suffix.length, valueSize), users: 0, position: 0 };
      name.entries.set(key, entry);
    }
    return entry;
  }

  /** All names, each with its entries. */
  names(): StoredName[] {
    return [...this.#names.values()];
  }

  /** Whether any inode has a name that `matches`. */
  usesName(matches: (name: StoredName) => boolean): boolean {
    for (const name of this.#names.values()) if (name.entries.size > 0 && matches(name)) return true;
    return false;
  }
}

function storedName(name: ByteString, epoch: FormatEpoch, form: ValueForm): StoredName {
  const split = splitXattrName(name, epoch);
  if (name === '') throw new InvalidTreeError('xattr', 'xattr with an empty name');
  if (split.suffix.length > XATTR_SUFFIX_MAX) {
    throw new InvalidTreeError('xattr', `xattr name too long: ${quoteBytes(name)}`);
  }
  return {
    name,
    ...split,
    start: encodeXattrEntryStart(split),
    filterMask: 1 << xattrFilterBit(split),
    form,
    entries: new Map(),
  };
}
