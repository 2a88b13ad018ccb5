import { posix } from 'node:path';
import { type ByteString, byteStringFromText, byteStringToText } from '../../bytes/byte-string.js';
import { roundUp } from '../../bytes/integer.js';
import { readInto, withFd } from '../../fs/files.js';
import { openRegularFile } from '../../fs/open-file.js';
import { entryLinkTarget, entryPath, type ParsedEntry } from '../../tar/entry.js';
import { ENTRY_TYPE, hasFileContent } from '../../tar/entry-type.js';
import { TAR_BLOCK_SIZE } from '../../tar/header.js';
import { type ParserStep, TarParser } from '../../tar/parser.js';
import { ImageSourceError } from './blob-error.js';
import { NOT_A_FILE } from './blob-file.js';
import type { FileLocation } from './blob-location.js';

/** A file of a tar, or a link to another name: `target` as it is written. */
export type TarMember = FileLocation | { readonly kind: 'symlink' | 'hardlink'; readonly target: ByteString };

export interface TarIndexOptions {
  /** The name under which a member is kept; undefined for those that do not matter. */
  readonly select: (name: ByteString) => string | undefined;
  /** Keep links, too. */
  readonly links?: boolean;
}

/** Real archives have some hundred; headers without content could fill the memory with an index of them. */
const MAX_ENTRIES = 1_000_000;
/** Longer names are none of those that archives have, and would fill the memory. */
const MAX_NAME_BYTES = 4096;
/** containers/image follows one link in Docker archives; those of old versions of Docker have one. */
const MAX_LINKS = 8;

/**
 * Where the files of a tar are. The tar is indexed, not unpacked, and no path is ever made of its names. As in
 * extraction, the last of several members with one name counts.
 *
 * @param path as the locations shall have it.
 * @throws TarError; ImageSourceError `INVALID_ARCHIVE`
 */
export function indexTar(path: string, options: TarIndexOptions): Map<string, TarMember> {
  const { fd, size } = openRegularFile(path, NOT_A_FILE);
  return withFd(fd, () => readIndex(fd, path, size, options));
}

/** The name by which a member of an archive is looked up: `./a//b`, `/a/b` and `a/b` are one. */
export function memberName(name: ByteString): string | undefined {
  return name.length > MAX_NAME_BYTES ? undefined : cleanName(name);
}

function cleanName(name: string): string {
  return posix.normalize(name).replace(/^\/+|\/$/g, '');
}

/**
 * The file of a name, through links to other members.
 *
 * @param members by their {@link memberName}.
 * @throws ImageSourceError `INVALID_ARCHIVE`
 */
export function findMember(members: ReadonlyMap<string, TarMember>, wanted: string): FileLocation {
  let name = cleanName(byteStringFromText(wanted));
  for (let links = 0; links <= MAX_LINKS; links++) {
    const member = members.get(name);
    if (member === undefined) {
      const target = JSON.stringify(byteStringToText(name as ByteString));
      const through = links === 0 ? '' : `, a link to ${target}`;
      throw invalidArchive(`it has no file ${JSON.stringify(wanted)}${through}`);
    }
    if (member.kind === 'file') return member;
    // A symbolic link starts from its own folder, a hard link from the root of the archive.
    const base = member.kind === 'symlink' ? posix.dirname(name) : '.';
    name = cleanName(posix.join(base, member.target));
  }
  throw invalidArchive(`${JSON.stringify(wanted)} leads through more than ${MAX_LINKS} links`);
}

function readIndex(
  fd: number,
  path: string,
  fileSize: number,
  { select, links = false }: TarIndexOptions,
): Map<string, TarMember> {
  const members = new Map<string, TarMember>();
  const parser = new TarParser();
  const block = Buffer.alloc(TAR_BLOCK_SIZE);
  let entries = 0;
  let offset = 0;
  // An archive may end after any entry, as for GNU tar and Go.
  while (offset < fileSize) {
    if (fileSize - offset < TAR_BLOCK_SIZE && isZero(fd, offset, fileSize)) break;
    const start = offset;
    // The parser keeps what it needs of a block.
    readExactly(fd, block, offset);
    offset += TAR_BLOCK_SIZE;
    const step = parseHeader(parser, block, start);
    if (step.type === 'end') return members;
    if (step.type === 'more') continue;
    if (++entries > MAX_ENTRIES) throw invalidArchive(`more than ${MAX_ENTRIES} entries`);
    const size = step.type === 'entry' ? step.entry.size : step.size;
    if (size > fileSize - offset) throw invalidArchive(`unexpected end of the file, ${size} bytes wanted at ${offset}`);
    if (step.type === 'extension') parser.extensionData(readExactly(fd, Buffer.alloc(size), offset));
    if (step.type === 'entry') {
      const { sparse } = step.entry;
      const location = { kind: 'file', path, offset, size: sparse?.size ?? size, ...(sparse && { sparse }) } as const;
      const member = toMember(step.entry, location);
      const counts = member !== undefined && (links || member.kind === 'file');
      const name = counts ? select(entryPath(step.entry)) : undefined;
      if (counts && name !== undefined) members.set(name, member);
    }
    offset += roundUp(size, TAR_BLOCK_SIZE);
  }
  if (parser.isInMap) throw invalidArchive(`unexpected end of the file at ${fileSize}`);
  return members;
}

/** What has no header at its beginning is another kind of file, not a damaged archive. */
function parseHeader(parser: TarParser, block: Buffer, offset: number): ParserStep {
  try {
    return parser.header(block, offset);
  } catch (error) {
    if (offset > 0) throw error;
    throw new ImageSourceError('INVALID_ARCHIVE', 'Invalid archive: it is no tar', { cause: error });
  }
}

function isZero(fd: number, start: number, end: number): boolean {
  return readExactly(fd, Buffer.alloc(end - start), start).every((byte) => byte === 0);
}

function toMember(entry: ParsedEntry, location: FileLocation): TarMember | undefined {
  if (hasFileContent(entry.type)) return location;
  const target = entryLinkTarget(entry);
  if (target === undefined) return undefined;
  if (entry.type === ENTRY_TYPE.SYMLINK) return { kind: 'symlink', target };
  if (entry.type === ENTRY_TYPE.LINK) return { kind: 'hardlink', target };
  return undefined;
}

function readExactly(fd: number, buffer: Buffer, offset: number): Buffer {
  const count = readInto(fd, buffer, offset);
  if (count < buffer.length) throw invalidArchive(`unexpected end of the file at ${offset + count}`);
  return buffer;
}

export function invalidArchive(message: string): ImageSourceError {
  return new ImageSourceError('INVALID_ARCHIVE', `Invalid archive: ${message}`);
}
