/** Type bytes of tar headers (spec 30 §5.5). */
export const ENTRY_TYPE = {
  REGULAR: 0x30,
  REGULAR_OLD: 0,
  LINK: 0x31,
  SYMLINK: 0x32,
  CHARACTER_DEVICE: 0x33,
  BLOCK_DEVICE: 0x34,
  DIRECTORY: 0x35,
  FIFO: 0x36,
  CONTIGUOUS: 0x37,
  GNU_LONG_LINK: 0x4b,
  GNU_LONG_NAME: 0x4c,
  GNU_SPARSE: 0x53,
  PAX_GLOBAL: 0x67,
  PAX_EXTENDED: 0x78,
} as const;

const NAMES: ReadonlyMap<number, string> = new Map([
  [ENTRY_TYPE.REGULAR, 'Regular'],
  [ENTRY_TYPE.REGULAR_OLD, 'Regular'],
  [ENTRY_TYPE.LINK, 'Link'],
  [ENTRY_TYPE.SYMLINK, 'Symlink'],
  [ENTRY_TYPE.CHARACTER_DEVICE, 'Char'],
  [ENTRY_TYPE.BLOCK_DEVICE, 'Block'],
  [ENTRY_TYPE.DIRECTORY, 'Directory'],
  [ENTRY_TYPE.FIFO, 'Fifo'],
  [ENTRY_TYPE.CONTIGUOUS, 'Continuous'],
  [ENTRY_TYPE.GNU_LONG_LINK, 'GnuLongLink'],
  [ENTRY_TYPE.GNU_LONG_NAME, 'GnuLongName'],
  [ENTRY_TYPE.GNU_SPARSE, 'GnuSparse'],
  [ENTRY_TYPE.PAX_GLOBAL, 'XGlobalHeader'],
  [ENTRY_TYPE.PAX_EXTENDED, 'XHeader'],
]);

/** The name used in error messages; `Other(86)` for an unknown byte. */
export function entryTypeName(type: number): string {
  return NAMES.get(type) ?? `Other(${type})`;
}

/** Whether the data that follow the header are the content of a file. */
export function hasFileContent(type: number): boolean {
  return type === ENTRY_TYPE.REGULAR || type === ENTRY_TYPE.REGULAR_OLD || type === ENTRY_TYPE.CONTIGUOUS;
}

/**
 * Links, directories, devices and FIFOs have no data, whatever size their header has: some writers leave there the size
 * that the file system gave.
 */
export function isHeaderOnly(type: number): boolean {
  return type >= ENTRY_TYPE.LINK && type <= ENTRY_TYPE.FIFO;
}
