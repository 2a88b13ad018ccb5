import type { Xattrs } from '../tree/stat.js';

/** What the C tools take of the xattrs of one inode (spec 20 §16.16). */
export const C_XATTR_NAME_MAX = 255;
export const C_XATTR_VALUE_MAX = 65535;
/** Bytes that all of them need, as C counts them. */
export const C_XATTR_AREA_MAX = 32767;
export const C_XATTR_AREA_HEADER = 12;
export const C_XATTR_ENTRY_OVERHEAD = 7;

/** Whether the C tools would take these xattrs. */
export function fitCXattrs(xattrs: Xattrs): boolean {
  let size = C_XATTR_AREA_HEADER;
  for (const [name, value] of xattrs) {
    if (name.length > C_XATTR_NAME_MAX || value.length > C_XATTR_VALUE_MAX) return false;
    size += C_XATTR_ENTRY_OVERHEAD + name.length + value.length;
  }
  return size <= C_XATTR_AREA_MAX;
}
