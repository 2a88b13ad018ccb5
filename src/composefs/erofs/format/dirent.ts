/** The fixed part of a directory entry (spec 20 §1.6). */
export const DIRENT_SIZE = 12;
export const DIRENT_NAME_OFFSET = 8;
export const DIRENT_FILE_TYPE = 10;

/** Writes 12 bytes into zeroed bytes. `nid` is below 2^32 in anything that fits in memory. */
export function encodeDirent(
  target: DataView,
  offset: number,
  nid: number,
  nameOffset: number,
  fileType: number,
): void {
  target.setUint32(offset, nid, true);
  target.setUint16(offset + DIRENT_NAME_OFFSET, nameOffset, true);
  target.setUint8(offset + DIRENT_FILE_TYPE, fileType);
}
