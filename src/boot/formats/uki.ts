/** Sections of unified kernel images, which are PE executables (spec 50 §9). All integers are little-endian. */

import { decodeUtf8 } from '../../bytes/text.js';
import type { ErrorCodeOf } from '../../error-codes.js';
import { ComposefsError, type ErrorDetails } from '../../errors.js';
import { bytesOf, type FileBytes } from './file-bytes.js';
import { OsReleaseInfo } from './os-release.js';

const DOS_HEADER_SIZE = 0x40;
const PE_OFFSET = 0x3c;
const PE_MAGIC = Buffer.from('PE\0\0');
/** `PE\0\0` and the COFF header. */
const PE_HEADER_SIZE = 24;
const SECTION_COUNT = 6;
const OPTIONAL_HEADER_SIZE = 20;

const SECTION_HEADER_SIZE = 40;
const SECTION_NAME_SIZE = 8;
const VIRTUAL_SIZE = 8;
const RAW_DATA = 20;

/** What a text section may hold: kernels take command lines of some kilobytes. */
const MAX_TEXT_SECTION = 1024 * 1024;

/** Codes: `NOT_A_UKI`, `UKI_SECTION_MISSING`, `UKI_SECTION_NOT_UTF8`, `UKI_SECTION_TOO_LARGE`, `UKI_NO_NAME`. */
export class UkiError extends ComposefsError {
  declare readonly code: ErrorCodeOf<'boot'>;

  constructor(code: ErrorCodeOf<'boot'>, message: string, details: ErrorDetails = {}) {
    super(code, message, details);
  }
}

/**
 * The data of the first section of a name: as many bytes as the section has in memory, not as it has in the file.
 *
 * @param image the file, or what reads parts of it.
 * @param name of up to eight bytes: `.cmdline`.
 * @throws UkiError `NOT_A_UKI` if headers or data lie outside of the file, `UKI_SECTION_MISSING`.
 */
export function getSection(image: Uint8Array | FileBytes, name: string): Buffer {
  const file = image instanceof Uint8Array ? bytesOf(image) : image;
  const { offset, size } = findSection(file, name);
  return read(file, offset, size);
}

/**
 * Where the first section of a name lies in the file, in bytes.
 *
 * @throws UkiError as {@link getSection}.
 */
export function findSection(file: FileBytes, name: string): { offset: number; size: number } {
  const key = Buffer.alloc(SECTION_NAME_SIZE);
  if (Buffer.byteLength(name) > SECTION_NAME_SIZE) throw new RangeError(`section name ${name} is too long`);
  key.write(name);

  const peOffset = read(file, 0, DOS_HEADER_SIZE).readUInt32LE(PE_OFFSET);
  const header = read(file, peOffset, PE_HEADER_SIZE);
  if (!header.subarray(0, PE_MAGIC.length).equals(PE_MAGIC)) throw notAUki();
  const tableOffset = peOffset + PE_HEADER_SIZE + header.readUInt16LE(OPTIONAL_HEADER_SIZE);
  const table = read(file, tableOffset, header.readUInt16LE(SECTION_COUNT) * SECTION_HEADER_SIZE);
  for (let at = 0; at < table.length; at += SECTION_HEADER_SIZE) {
    if (!table.subarray(at, at + SECTION_NAME_SIZE).equals(key)) continue;
    const offset = table.readUInt32LE(at + RAW_DATA);
    const size = table.readUInt32LE(at + VIRTUAL_SIZE);
    if (offset + size > file.size) throw notAUki();
    return { offset, size };
  }
  throw new UkiError('UKI_SECTION_MISSING', `UKI doesn't contain a '${name}' section`);
}

/**
 * {@link getSection} as text, with whatever NULs and line feeds are in it.
 *
 * @throws UkiError as {@link getSection}, `UKI_SECTION_NOT_UTF8`, `UKI_SECTION_TOO_LARGE` (above 1 MiB).
 */
export function getTextSection(image: Uint8Array | FileBytes, name: string): string {
  const file = image instanceof Uint8Array ? bytesOf(image) : image;
  const { offset, size } = findSection(file, name);
  if (size > MAX_TEXT_SECTION) {
    throw new UkiError('UKI_SECTION_TOO_LARGE', `UKI section '${name}' of ${size} bytes is too large for a text`);
  }
  const text = decodeUtf8(read(file, offset, size));
  if (text === undefined) throw new UkiError('UKI_SECTION_NOT_UTF8', `UKI section '${name}' is not UTF-8`);
  return text;
}

/** The kernel command line that the image carries. @throws UkiError */
export function getCmdline(image: Uint8Array | FileBytes): string {
  return getTextSection(image, '.cmdline');
}

/** What a boot menu shows for the image. @throws UkiError, `UKI_NO_NAME` if its `.osrel` has no name. */
export function getBootLabel(image: Uint8Array | FileBytes): string {
  const label = new OsReleaseInfo(getTextSection(image, '.osrel')).getBootLabel();
  if (label === undefined) throw new UkiError('UKI_NO_NAME', 'No name information found in .osrel section');
  return label;
}

function read(file: FileBytes, offset: number, length: number): Buffer {
  if (offset + length > file.size) throw notAUki();
  return file.read(offset, length);
}

function notAUki(): UkiError {
  return new UkiError('NOT_A_UKI', 'UKI is not valid EFI executable');
}
